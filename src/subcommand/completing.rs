//! `snugd completions`: what shells need to complete options, from the definition of the options.

use crate::options::{Exit, Shell};

/// Writes it to standard output.
///
/// # Errors
/// This program was built without.
#[cfg(feature = "completions")]
pub(super) fn write(shell: Shell) -> Result<(), Exit> {
    use std::io::Write;

    use clap_complete::{generate, shells};

    let (mut command, mut script) = (crate::options::definition(), Vec::new());
    match shell {
        Shell::Bash => generate(shells::Bash, &mut command, "snugd", &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, "snugd", &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, "snugd", &mut script),
    }
    let script = String::from_utf8_lossy(&script);
    let script = if shell == Shell::Fish { mend_fish(&script) } else { script.into_owned() };
    // Whoever reads may have read enough (`snugd completions bash | head`).
    let _ = std::io::stdout().write_all(script.as_bytes());
    Ok(())
}

/// The script takes an option whose value is about to be typed for a mistake, and completes no value. It has to look at
/// what stands before that option instead.
#[cfg(feature = "completions")]
fn mend_fish(script: &str) -> String {
    const LOOKS: &str = "    argparse -s (__fish_snugd_global_optspecs) -- $cmd 2>/dev/null\n";
    const LOOKS_BEFORE: &str = "    or argparse -s (__fish_snugd_global_optspecs) -- $cmd[1..-2] 2>/dev/null\n";
    script.replacen(LOOKS, &format!("{LOOKS}{LOOKS_BEFORE}"), 1)
}

/// Does nothing.
///
/// # Errors
/// Always.
#[cfg(not(feature = "completions"))]
pub(super) fn write(_shell: Shell) -> Result<(), Exit> {
    Err(Exit::misused("This snugd was built without completions; use another build."))
}
