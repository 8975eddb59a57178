//! Names as people type them: read, and folded to what tells whether two are the same.

use divan::{Bencher, black_box};
use snugd::rooms::Name;

/// Plain, with an accent, in another script, and as long as a name may be.
const TYPED: [&str; 4] = ["ana", "Ana María", "Алиса", "The Right Honourable Ana Maria I"];

#[divan::bench(args = TYPED)]
fn parse(typed: &str) -> Option<Name> {
    Name::parse(black_box(typed))
}

#[divan::bench(args = TYPED)]
fn keys(bencher: Bencher, typed: &str) {
    let name = Name::parse(typed).expect("a name");
    bencher.bench_local(|| black_box(&name).keys());
}

/// A name that is taken as it was typed.
#[divan::bench(args = TYPED)]
fn copy(typed: &str) -> Box<str> {
    black_box(typed).into()
}
