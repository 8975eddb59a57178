//! Looking at a page in one state: by axe-core, by where things stand, by what the page complains about; and taking
//! pictures of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::Screen;
use crate::chromium::Window;

/// Where `scripts/test.sh` puts axe-core, below the folder of what Cargo makes.
const AXE: &str = "npm/node_modules/axe-core/axe.min.js";
/// Names the folder for the pictures.
const SCREENSHOTS: &str = "SCREENSHOTS";

/// What axe-core finds that is there and should not be: the rule, what it says of it, and where. The page is the same in
/// both schemes but for its colours.
const FOUND_BY_AXE: &str = "(async rules => {
    const options = { resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) };
    const { violations } = await axe.run(document, options);
    return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, any, html }) => `${id}: ${help}: ${target} ${any[0]?.message ?? ''} ${html.slice(0, 120)}`));
})";

/// Ends what is still changing.
const AT_REST: &str = "document.getAnimations().forEach(it => { try { it.finish() } catch { /* It has no end. */ } })";

/// What is cut off, stands outside of the window, or scrolls sideways.
const MISPLACED: &str = "(() => {
    const found = [];
    const nameOf = (element) => element.cloneNode().outerHTML.slice(0, 100) + ' ' + element.innerText?.slice(0, 30);
    const isSeen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('.unseen, .noscript');
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth) found.push(`the page is ${page.scrollWidth - page.clientWidth} px too wide`);
    if (page.scrollHeight > page.clientHeight && document.querySelector('#room')) found.push('the page of a room scrolls');
    const modal = document.querySelector('dialog[open]') ?? document;
    for (const element of modal.querySelectorAll('body *')) {
        if (!isSeen(element)) continue;
        const style = getComputedStyle(element);
        const place = element.getBoundingClientRect();
        if (place.width < 2 || place.height < 2) continue;
        const hides = (overflow) => ['hidden', 'clip'].includes(overflow);
        const isCutOnPurpose = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none'
            || element.matches('.folded, svg, #room, body, img');
        const [across, down] = [element.scrollWidth - element.clientWidth, element.scrollHeight - element.clientHeight];
        if (!isCutOnPurpose && hides(style.overflowX) && across > 1) found.push(`cut by ${across} px: ${nameOf(element)}`);
        if (!isCutOnPurpose && hides(style.overflowY) && down > 3) found.push(`cut by ${down} px below: ${nameOf(element)}`);
        const scrollsAcross = ['auto', 'scroll'].includes(style.overflowX) && across > 1;
        if (scrollsAcross && !element.matches('pre, input, textarea')) found.push(`scrolls by ${across} px: ${nameOf(element)}`);
        const isUsed = element.matches('button, a, input, select, textarea, summary, h1, h2, [role=status], [role=option]');
        const isScrolledAway = element.closest('pre, .emojis, #suggestions');
        if (!isUsed || isScrolledAway) continue;
        if (place.left < -1 || place.right > innerWidth + 1) found.push(`outside of the window: ${nameOf(element)}`);
        for (let box = element.parentElement; box; box = box.parentElement) {
            const around = box.getBoundingClientRect();
            if (getComputedStyle(box).overflowX === 'visible') continue;
            const margin = 1 + (parseFloat(getComputedStyle(box).overflowClipMargin) || 0);
            if (place.left < around.left - margin || place.right > around.right + margin) found.push(`cut by ${nameOf(box)}: ${nameOf(element)}`);
        }
    }
    return found;
})()";

/// What is found on one screen, state by state.
pub struct Inspection {
    screen: Screen,
    pictures: Option<PathBuf>,
    /// So many of the page's complaints are dealt with.
    heard: usize,
    problems: Vec<String>,
}

impl Inspection {
    pub fn new(screen: Screen) -> Inspection {
        let pictures = std::env::var_os(SCREENSHOTS).map(PathBuf::from);
        if let Some(folder) = &pictures {
            fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        }
        Inspection { screen, pictures, heard: 0, problems: Vec::new() }
    }

    /// Looks at the page in both schemes, and leaves it in the light one.
    pub fn look_at(&mut self, window: &Window, state: &str, reports: &[&str]) {
        let Screen { width, height, .. } = self.screen;
        for problem in texts(&window.evaluate_promise(MISPLACED)) {
            self.note(state, &problem);
        }
        if window.evaluate("typeof axe") != "object" {
            window.evaluate_promise(&format!("{}; true", axe()));
        }
        for (scheme, rules) in [("light", "undefined"), ("dark", "['color-contrast']")] {
            window.look(width, height, scheme);
            window.evaluate(AT_REST);
            for problem in texts(&window.evaluate_promise(&format!("{FOUND_BY_AXE}({rules})"))) {
                self.note(state, &format!("{scheme}: {problem}"));
            }
            if let Some(folder) = &self.pictures {
                let name = format!("{}-{state}-{scheme}.png", self.screen.name);
                fs::write(folder.join(name), window.screenshot()).expect("a picture can be saved");
            }
        }
        window.look(width, height, "light");
        let complaints = window.seen().complaints;
        for complaint in &complaints[self.heard..] {
            if !reports.iter().any(|report| complaint.contains(report)) {
                self.note(state, complaint);
            }
        }
        self.heard = complaints.len();
    }

    fn note(&mut self, state: &str, problem: &str) {
        if self.problems.iter().any(|known| known == problem) {
            return;
        }
        // The tour may end before its end.
        eprintln!("{} {state}: {problem}", self.screen.name);
        self.problems.push(problem.to_owned());
    }

    pub fn conclude(self) {
        let Inspection { screen, problems, .. } = self;
        assert!(problems.is_empty(), "on a {} there are {} problems", screen.name, problems.len());
    }
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| panic!("a list of texts, and not {value}"))
}

/// The source of axe-core.
fn axe() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let made_by_cargo =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the folder of what is made");
        let path = made_by_cargo.join(AXE);
        fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}. scripts/test.sh gets it: npm install --prefix target/npm axe-core", path.display())
        })
    })
}
