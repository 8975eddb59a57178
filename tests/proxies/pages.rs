//! The configurations as the pages in `docs/` show them: what people copy is what is tested.

const SERVER: &str = include_str!("../../docs/server.md");
const CLUSTER: &str = include_str!("../../docs/cluster.md");
const PROXY_PROTOCOL: &str = include_str!("../../docs/proxy-protocol.md");

/// The code block in this language.
pub fn code_block(language: &str) -> String {
    code_block_of(SERVER, language)
}

/// The code block in this language that says how a proxy passes bytes on and tells whose they are.
pub fn passing_block(language: &str) -> String {
    code_block_of(PROXY_PROTOCOL, language)
}

/// The code block in this language that puts a proxy before several nodes.
pub fn cluster_block(language: &str) -> String {
    code_block_of(CLUSTER, language)
}

fn code_block_of(page: &str, language: &str) -> String {
    let start = format!("\n```{language}\n");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("there is no block in {language}"));
    let (block, rest) = rest.split_once("\n```").expect("a block has an end");
    assert!(!rest.contains(&start), "there are two blocks in {language}");
    block.to_owned()
}

/// The options of the page's command line for a server behind a proxy.
pub fn options() -> Vec<&'static str> {
    let (_, rest) = SERVER.split_once("\nsnugd --listen ").expect("the page has the command line");
    let line = rest.lines().next().expect("a line");
    ["--listen"].into_iter().chain(line.split(' ')).collect()
}

/// Words that the page has in its text, as code.
pub fn quoted(code: &str) -> &str {
    assert!(SERVER.contains(&format!("`{code}`")), "docs/server.md does not say {code:?}");
    code
}

/// Replaces what stands there; a configuration in which it does not is another one.
pub trait Replaced {
    fn replaced(self, from: &str, to: &str) -> String;
}

impl Replaced for String {
    fn replaced(self, from: &str, to: &str) -> String {
        assert!(self.contains(from), "no {from:?} in\n{self}");
        self.replace(from, to)
    }
}
