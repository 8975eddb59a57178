//! Writes snugd's manual pages, from the definition of its options: `cargo run --example man -- FOLDER`.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap_mangen::Man;

/// What the definition of the options does not tell, in the language of manual pages (man(7)).
const MORE: &str = r#".SH CONFIGURATION FILE
A file in TOML, with the options' own names and without their dashes. Options that can be repeated may have lists.
.PP
.nf
listen = ["127.0.0.1:5000", "unix:/run/snugd/snugd.sock"]
line\-listen = "off"
data = "/var/lib/snugd/snugd.db"
max\-file = "50M"
rate = 10
.fi
.PP
.B snugd check
tells what is in force, where that comes from, and everything that is wrong, with the lines.
.SH ENVIRONMENT
Each option is also a variable:
.B SNUGD_LINE_LISTEN
is
.BR \-\-line\-listen .
An option on the command line counts more than a variable, a variable more than the file. An empty variable counts as
unset. The value can be read from a file that a variable with
.B _FILE
after its name has, as in
.BR SNUGD_RATE_FILE=/run/secrets/rate .
.PP
.B PORT
means
.BR "\-\-listen 0.0.0.0:$PORT \-\-line\-listen off" ,
unless options or variables ask for something else.
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
Stops: everybody is told, and what was said is stored.
.TP
.B SIGHUP
From a closed terminal, stops as well. Sent to a service, reads the options again: limits, proxies, hosts and how much is
logged change while everybody stays; what needs a restart is named in the log.
.SH EXIT STATUS
.TP
.B 0
Stopped by SIGTERM or SIGINT.
.TP
.B 1
Failed while running.
.TP
.B 2
Bad usage or configuration.
.TP
.B 3
Cannot listen.
.TP
.B 4
The data file, the cluster's log or the folder of files cannot be used, or is from a newer version.
.SH EXAMPLES
.TP
.B snugd
Rooms for everybody on this network, until it is stopped.
.TP
.B snugd \-\-data snugd.db
The same, and what is said outlives the program.
.TP
.B snugd \-\-listen 127.0.0.1:5000 \-\-public\-url https://chat.example.org \-\-trusted\-proxy 127.0.0.1
Behind a proxy that adds TLS.
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("name the folder for the pages")?.into();
    std::fs::create_dir_all(&folder)?;
    let mut command = snugd::options::definition().disable_help_subcommand(true);
    command.build();
    write_page(&folder, "snugd.1", &command, MORE)?;
    for subcommand in command.get_subcommands() {
        let name = format!("snugd-{}", subcommand.get_name());
        let page = subcommand.clone().display_name(&name);
        write_page(&folder, &format!("{name}.1"), &page, "")?;
    }
    Ok(())
}

fn write_page(folder: &Path, name: &str, command: &clap::Command, more: &str) -> Result<(), Box<dyn Error>> {
    let mut file = std::fs::File::create(folder.join(name))?;
    let man = Man::new(command.clone());
    man.render_title(&mut file)?;
    man.render_name_section(&mut file)?;
    man.render_synopsis_section(&mut file)?;
    man.render_description_section(&mut file)?;
    man.render_options_section(&mut file)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut file)?;
    }
    file.write_all(more.as_bytes())?;
    Ok(())
}
