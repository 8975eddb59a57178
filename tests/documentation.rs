//! The pages for people: what they lead to is there.

use std::fs;
use std::path::{Path, PathBuf};

/// README, and every page in `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir("docs").expect("a folder of pages").map(|entry| entry.expect("a readable entry").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain([PathBuf::from("README.md")]).collect()
}

/// What the links and pictures of a page lead to: the addresses between `](` and `)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split_once(')')).map(|(address, _)| address)
}

/// The headings, as their anchors are written.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_to_something() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap_or(Path::new("")).join(path) };
            assert!(target.exists(), "{} leads to {link}", page.display());
            if let Some(anchor) = anchor {
                let there = fs::read_to_string(&target).expect("a readable page");
                assert!(anchors(&there).iter().any(|known| known == anchor), "{} leads to {link}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} links");
}

#[test]
fn every_page_is_led_to_by_readme() {
    let readme = fs::read_to_string("README.md").expect("a readable page");
    for page in pages().iter().filter(|page| !page.ends_with("README.md")) {
        assert!(links(&readme).any(|link| Path::new(link) == page), "README does not lead to {}", page.display());
    }
}
