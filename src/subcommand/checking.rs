//! `snugd check`: the options that are in force and where each comes from, what is wrong with them, and what is allowed
//! but likely a mistake. A server is not started.

use core::fmt::Write as _;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::MISUSED;
use crate::accounts;
use crate::files;
use crate::options::{Exit, FilesPlace, Findings, Listener, ListenerPort, Options, Setting, Source, nearest_variable};
use crate::reactor::{BindError, HandedOver, MioNet};
use crate::rooms::Name;

/// Columns of a name and of a value; a longer value has a line that is longer.
const NAME_COLUMNS: usize = 17;
const VALUE_COLUMNS: usize = 28;

/// Descriptors that are not for connections: files, listeners, threads.
#[cfg(unix)]
const OWN_DESCRIPTORS: u64 = 32;

/// Prints what is found.
///
/// # Errors
/// Something is wrong.
pub(super) fn check(args: impl Iterator<Item = OsString>, as_json: bool) -> Result<(), Exit> {
    let Findings { settings, faults: mut wrong, options } = Findings::look(args)?;
    let mut notes = unknown_variables();
    // Of options that are not those that are meant, nothing else is worth saying.
    if let Some(options) = options.filter(|_| wrong.is_empty()) {
        look_at_cluster(&options, &mut wrong, &mut notes);
        look_at_files(&options, &mut wrong);
        look_at_admins(&options, &mut wrong, &mut notes);
        look_at_certificate(&options, &mut wrong, &mut notes);
        look_at_network(&options, &mut notes);
        look_at_limits(&options, &mut notes);
    }
    let text = if as_json { in_json(&settings, &wrong, &notes) } else { in_words(&settings, &wrong, &notes) };
    // Whoever reads may have read enough (`snugd check | head`).
    let _ = io::stdout().write_all(text.as_bytes());
    match wrong.len() {
        0 => Ok(()),
        1 => Err(Exit::failed(MISUSED, "Something is wrong with these options: it stands above.")),
        count => Err(Exit::failed(MISUSED, &format!("{count} things are wrong with these options: they stand above."))),
    }
}

/// The values of an option, as they may be shown.
fn shown(setting: &Setting) -> String {
    match (setting.is_secret, &setting.values[..]) {
        (_, []) => setting.otherwise.clone(),
        (true, _) => "(not shown)".to_owned(),
        (false, values) => {
            let texts: Vec<_> = values.iter().map(|(value, _)| escaped(&value.to_string_lossy())).collect();
            texts.join(", ")
        }
    }
}

/// Nothing in a value moves the reader's cursor.
fn escaped(text: &str) -> String {
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(escape).collect()
}

fn in_words(settings: &[Setting], wrong: &[String], notes: &[String]) -> String {
    let mut text = String::from("In force:\n");
    for setting in settings {
        let (name, value, source) = (&setting.name, shown(setting), setting.source());
        let over = setting.overruled.as_ref().map(|overruled| format!("  (over {overruled})")).unwrap_or_default();
        let _ = writeln!(text, "  {name:NAME_COLUMNS$} {value:VALUE_COLUMNS$} {source}{over}");
    }
    for (title, sentences) in [("Wrong:", wrong), ("Worth a look:", notes)] {
        if !sentences.is_empty() {
            let _ = writeln!(text, "\n{title}");
            sentences.iter().for_each(|sentence| text += &format!("  {}\n", escaped(sentence)));
        }
    }
    if wrong.is_empty() {
        text += "\nNothing is wrong.\n";
    }
    text
}

fn in_json(settings: &[Setting], wrong: &[String], notes: &[String]) -> String {
    let entry = |setting: &Setting| {
        let values = setting.values.iter().map(|(value, _)| value.to_string_lossy());
        let values = if setting.is_secret { Value::Null } else { values.collect() };
        let mut entry = json!({"values": values, "from": setting.source().to_string()});
        if let Source::ConfigFile { path, line } = setting.source() {
            entry["from"] = json!("file");
            entry["file"] = json!(path.to_string_lossy());
            entry["line"] = json!(line);
        }
        (setting.name.clone(), entry)
    };
    let options: Map<String, Value> = settings.iter().map(entry).collect();
    format!("{}\n", json!({"options": options, "wrong": wrong, "notes": notes}))
}

/// Variables that are called like options, but are none: most likely a slip.
fn unknown_variables() -> Vec<String> {
    let describe = |name: String| match nearest_variable(&name)? {
        near if near == name => None,
        near => Some(format!("{name} is no option's variable, and is not looked at; {near} is one.")),
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut notes: Vec<String> = names.filter(|name| name.starts_with("SNUGD_")).filter_map(describe).collect();
    notes.sort_unstable();
    notes
}

// ---- rooms that are shared

/// Whether the address is one; nobody is asked there.
#[cfg(feature = "cluster")]
fn look_at_cluster(options: &Options, wrong: &mut Vec<String>, notes: &mut Vec<String>) {
    let Some(cluster) = &options.cluster else { return };
    wrong.extend(crate::journal::redis::ClusterAddress::parse(&cluster.url).err());
    notes.extend(options.files_note().map(|note| format!("With --cluster {note}.")));
}

/// There is none without Redis, and the options name none.
#[cfg(not(feature = "cluster"))]
fn look_at_cluster(_options: &Options, _wrong: &mut [String], _notes: &mut [String]) {}

// ---- files

fn look_at_files(options: &Options, wrong: &mut Vec<String>) {
    if let Some(data) = &options.data {
        wrong.extend(data_fault(data));
    }
    let folder = match (&options.files.place, &options.data) {
        (FilesPlace::Folder(folder), _) => folder.clone(),
        (FilesPlace::BesideData, Some(data)) => files::folder_beside(data),
        (FilesPlace::Temporary, _) => std::env::temp_dir(),
        _ => return,
    };
    wrong.extend(folder_fault("--files", &folder));
}

fn data_fault(data: &Path) -> Option<String> {
    let shown = data.display();
    match fs::metadata(data) {
        Ok(found) if found.is_dir() => Some(format!("{shown} is a folder; --data wants a file.")),
        Ok(_) => match OpenOptions::new().append(true).open(data) {
            Err(error) => Some(format!("The data file {shown} cannot be written by this user ({error}).")),
            Ok(_) => stored_fault(data),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => folder_fault("--data", parent(data)),
        Err(error) => Some(format!("The data file {shown} cannot be found ({error}).")),
    }
}

/// What is wrong with what the file holds. An empty one is as good as none.
#[cfg(feature = "sqlite")]
fn stored_fault(data: &Path) -> Option<String> {
    use crate::journal::sqlite::{self, AccountError};
    let is_empty = fs::metadata(data).is_ok_and(|found| found.len() == 0);
    match sqlite::account_names(data) {
        Err(AccountError::Unusable(why)) if !is_empty => Some(why.to_string()),
        _ => None,
    }
}

#[cfg(not(feature = "sqlite"))]
fn stored_fault(_data: &Path) -> Option<String> {
    None
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether this user can write into the folder, or make it: only the system knows, so it is tried.
fn folder_fault(option: &str, folder: &Path) -> Option<String> {
    let shown = folder.display();
    if !folder.exists() {
        // The program makes one folder, not those above it.
        let above = parent(folder);
        return match above.is_dir() && option == "--files" {
            true => folder_fault(option, above),
            false => Some(format!("There is no folder {shown} for {option}; make it.")),
        };
    }
    let probe = folder.join(format!(".snugd-check-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => fs::remove_file(&probe).err().map(|error| format!("{} is left over ({error}).", probe.display())),
        Err(error) => Some(format!("This user cannot write into {shown} ({error}), which {option} needs.")),
    }
}

fn look_at_admins(options: &Options, wrong: &mut Vec<String>, notes: &mut Vec<String>) {
    match accounts::parse_admins(&options.admins) {
        Err(sentence) => wrong.push(sentence),
        Ok(admins) => notes.extend(missing_accounts(options, &admins)),
    }
}

/// What is to be said of admins that nobody can be yet. Where a proxy vouches for names, that makes the accounts.
#[cfg(feature = "sqlite")]
fn missing_accounts(options: &Options, admins: &[Name]) -> Vec<String> {
    use crate::journal::sqlite::account_names;
    let claimed = options.data.as_ref().and_then(|data| account_names(data).ok());
    let Some(claimed) = claimed.filter(|_| options.web.auth_header.is_none()) else { return Vec::new() };
    let missing = admins.iter().filter(|admin| !claimed.iter().any(|name| name.is_same(admin)));
    missing.map(|admin| format!("There is no account {:?} yet; snugd account add makes it.", admin.as_str())).collect()
}

#[cfg(not(feature = "sqlite"))]
fn missing_accounts(_options: &Options, _admins: &[Name]) -> Vec<String> {
    Vec::new()
}

#[cfg(feature = "tls")]
fn look_at_certificate(options: &Options, wrong: &mut Vec<String>, notes: &mut Vec<String>) {
    let Some(files) = &options.tls else { return };
    match crate::tls::ServerKeys::load(&files.certificate, &files.key) {
        Ok(keys) => {
            notes.extend(keys.warning().map(|warning| format!("In {}: {warning}.", files.certificate.display())))
        }
        Err(sentence) => wrong.push(sentence),
    }
}

/// There are none without TLS, and the options name none.
#[cfg(not(feature = "tls"))]
fn look_at_certificate(_options: &Options, _wrong: &mut [String], _notes: &mut [String]) {}

// ---- network

fn look_at_network(options: &Options, notes: &mut Vec<String>) {
    for listener in &options.listeners {
        notes.extend(listening_fault(listener));
    }
    let is_behind_proxy = !options.web.trusted_proxies.is_empty();
    let is_tls = options.tls.is_some();
    let everywhere = options.listeners.iter().filter(|listener| is_in_the_open(listener, is_tls));
    for listener in everywhere.filter(|_| !is_behind_proxy) {
        let address = &listener.address;
        let instead = match listener.port {
            ListenerPort::Line => "--line-tls-listen is where terminals connect encrypted",
            _ => "--tls-cert and --tls-key encrypt it, or a proxy does",
        };
        notes.push(format!(
            "What is said by way of {address} is not encrypted: whoever is on the way can read it; {instead}."
        ));
    }
    for proxy in options.web.trusted_proxies.iter().filter(|proxy| proxy.is_wide()) {
        notes.push(format!(
            "--trusted-proxy {proxy} believes half the world: whoever connects from there can say to be anybody; name \
             the proxy's own address."
        ));
    }
    let public_url = options.web.public_url.as_deref().unwrap_or_default();
    if public_url.starts_with("http:") && is_tls {
        notes.push(
            "--public-url is http, but browsers are encrypted here: invitations lead to a redirect; write https."
                .to_owned(),
        );
    }
    if public_url.starts_with("https:") && !is_tls && !is_behind_proxy {
        notes.push(
            "--public-url is https, so there is a proxy, but --trusted-proxy names none: all who come by it count as \
             one address, and cookies are not marked Secure."
                .to_owned(),
        );
    }
}

/// Whether others than this machine's users connect there without encryption.
fn is_in_the_open(listener: &Listener, is_tls: bool) -> bool {
    let is_plain = listener.port == ListenerPort::Line || listener.port == ListenerPort::Web && !is_tls;
    is_plain && listener.address.tcp().is_some_and(|address| !address.ip().to_canonical().is_loopback())
}

/// Why the server could not listen there now.
fn listening_fault(listener: &Listener) -> Option<String> {
    let Err(BindError { error, .. }) = MioNet::bind(std::slice::from_ref(listener), &mut HandedOver::default()) else {
        return None;
    };
    let (option, address) = (listener.port.option(), &listener.address);
    Some(match error.kind() {
        ErrorKind::AddrInUse => format!("{address} is in use ({option}): by a snugd that runs, or by something else."),
        ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine now ({option})."),
        ErrorKind::PermissionDenied => format!("This user may not listen at {address} ({option})."),
        _ => format!("Nobody can listen at {address} now ({option}: {error})."),
    })
}

// ---- limits

fn look_at_limits(options: &Options, notes: &mut Vec<String>) {
    let limits = &options.limits;
    if limits.join_rate == 0 && limits.code_length < 8 {
        notes.push(
            "With --join-rate 0 codes can be found by trying; --code-length 8 makes that take too long.".to_owned(),
        );
    }
    if options.files.limits.all_bytes < 4 * options.files.limits.file_bytes && options.files.place != FilesPlace::Off {
        notes.push(
            "One address may use a quarter of --max-files, but always one file of --max-file: that is more here."
                .to_owned(),
        );
    }
    #[cfg(unix)]
    let wanted = options.max_connections as u64 + OWN_DESCRIPTORS;
    #[cfg(unix)]
    if let Ok((_, hard)) = rlimit::getrlimit(rlimit::Resource::NOFILE)
        && options.max_connections > 0
        && hard < wanted
    {
        notes.push(format!(
            "This system lets a program have {hard} files open, too few for --max-connections {}; raise the limit \
             (LimitNOFILE, ulimit -n), or lower that.",
            options.max_connections
        ));
    }
}
