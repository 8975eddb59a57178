use clap::CommandFactory;

use super::*;

fn parse(args: &[&str], port: Option<&str>) -> Result<Options, Exit> {
    let environment = |name: &str| port.filter(|_| name == "PORT").map(OsString::from);
    let command_line = command_line::read(&["snugd"].iter().chain(args).map(OsString::from).collect::<Vec<_>>())?;
    let findings = Findings::of(Settings::gather(&[&command_line.given], Some(&environment)));
    Ok(Options { subcommand: command_line.subcommand, ..findings.into_options()? })
}

fn options(args: &[&str]) -> Options {
    match parse(args, None) {
        Ok(options) => options,
        Err(exit) => panic!("{args:?} refused: {}", exit.text),
    }
}

/// The sentence that a person reads after wrong usage.
fn refusal(args: &[&str], port: Option<&str>) -> String {
    let exit = parse(args, port).expect_err("wrong usage was accepted");
    assert_eq!(exit.status, 2);
    assert_eq!(exit.text.lines().count(), 1, "{:?}", exit.text);
    exit.text
}

fn listeners(args: &[&str], port: Option<&str>) -> (String, String) {
    let options = parse(args, port).expect("options");
    let at = |port| {
        let found = options.listeners.iter().filter(|listener| listener.port == port);
        found.map(|listener| listener.address.to_string()).collect::<Vec<_>>().join(" ")
    };
    let line = Some(at(ListenerPort::Line)).filter(|line| !line.is_empty());
    (at(ListenerPort::Web), line.unwrap_or("off".to_owned()))
}

fn pair(web: &str, line: &str) -> (String, String) {
    (web.to_owned(), line.to_owned())
}

#[test]
fn nothing_asked_for_gives_the_defaults() {
    let options = options(&[]);
    assert_eq!(listeners(&[], None), pair("[::]:5000", "[::]:5001"));
    assert_eq!(options.limits, Limits::default());
    assert_eq!(options.web, WebOptions::default());
    assert_eq!((options.max_connections, options.max_per_address), (10_000, 256));
    assert_eq!((options.accounts, options.admins.len()), (AccountPolicy::Open, 0));
    assert_eq!(options.files, FilesOption { place: FilesPlace::Temporary, limits: FileLimits::default() });
    assert_eq!(options.log, LogFormat::Text);
    assert_eq!(options.log_level, log::LevelFilter::Info);
}

#[test]
fn each_option_says_what_it_says() {
    let all = "--listen [::1]:80 --line-listen localhost:23 --history 7 --room-ttl 30d --grace 2m \
        --code-length 12 --max-message 1048576 --rate 0 --join-rate 1 --create-rate 2 \
        --max-connections 0 --max-per-ip 3 --max-members 4 --public-url https://a.example \
        --base-path /chat --trusted-proxy 10.0.0.0/8 --allowed-origin https://b.example \
        --allowed-host c.example --log json -vv --accounts closed --admin ana,ben --data f.db \
        --auth-header Remote-User --files shared --max-file 64K --max-files 8G --mdns off";
    let options = options(&all.split_whitespace().collect::<Vec<_>>());
    let listeners: Vec<String> = options.listeners.iter().map(Listener::to_string).collect();
    assert_eq!(listeners, ["web [::1]:80", "line 127.0.0.1:23"]);
    assert_eq!(
        options.limits,
        Limits {
            history_events: 7,
            room_ttl_ms: 30 * 24 * 60 * 60 * 1000,
            grace_ms: 2 * 60 * 1000,
            code_length: 12,
            message_bytes: 1_048_576,
            rate: 0,
            join_rate: 1,
            create_rate: 2,
            members: 4,
            memory_bytes: 256 << 20,
            file_bytes: 64 << 10,
        }
    );
    assert_eq!((options.max_connections, options.max_per_address), (0, 3));
    assert_eq!(options.web.public_url.as_deref(), Some("https://a.example/chat"));
    assert_eq!(options.web.base_path, "/chat/");
    assert_eq!(options.web.trusted_proxies.len(), 1);
    assert_eq!(options.web.auth_header.as_deref(), Some("remote-user"));
    let limits = FileLimits { file_bytes: 64 << 10, all_bytes: 8 << 30 };
    assert_eq!(options.files, FilesOption { place: FilesPlace::Folder("shared".into()), limits });
    assert_eq!(options.accounts, AccountPolicy::Closed);
    assert_eq!(options.admins, ["ana", "ben"]);
    assert_eq!(options.web.allowed_origins, ["https://b.example"]);
    assert_eq!(options.web.allowed_hosts, ["c.example", "a.example"]);
    assert_eq!(options.log, LogFormat::Json);
    assert_eq!(options.log_level, log::LevelFilter::Trace);
}

// What the variables do is tested with the program itself, in `tests/process.rs`.
#[test]
fn each_option_has_a_variable_of_its_name() {
    for arg in Arguments::command().get_arguments() {
        let long = arg.get_long().expect("every option has a long name");
        let variable = arg.get_env().and_then(|name| name.to_str());
        assert_eq!(variable, Some(settings::variable_name(long).as_str()));
    }
}

#[cfg(feature = "cluster")]
#[test]
fn rooms_are_in_one_place_and_with_other_nodes_so_is_a_folder_of_files() {
    let url = "redis://:s3cret@10.0.0.5";
    let alone = options(&["--cluster", url]);
    assert_eq!(alone.cluster, Some(ClusterOption { url: url.to_owned(), wait_replicas: 0 }));
    assert!(alone.files_note().is_some_and(|note| note.contains("with --files")));
    assert_eq!((alone.files.place, alone.limits.file_bytes), (FilesPlace::Off, 0));
    let words = ["--cluster", url, "--cluster-wait", "2", "--files", "/srv/shared", "--admin", "ana"];
    let shared = options(&words);
    assert_eq!((shared.files_note(), options(&[]).files_note()), (None, None));
    assert_eq!(options(&["--cluster", url, "--files", "off"]).files_note(), None, "that was asked for");
    assert_eq!(shared.cluster.map(|cluster| cluster.wait_replicas), Some(2));
    assert_eq!(shared.files.place, FilesPlace::Folder("/srv/shared".into()));

    let both = refusal(&["--cluster", url, "--data", "f.db"], None);
    assert!(both.contains("--cluster keeps the rooms in Redis, --data in a file: leave one of them out"), "{both}");
    let alone = refusal(&["--cluster-wait", "1"], None);
    assert!(alone.contains("name that with --cluster"), "{alone}");
    let too_many = refusal(&["--cluster", url, "--cluster-wait", "101"], None);
    for text in [both, too_many] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn the_address_of_a_cluster_is_shown_to_nobody() {
    let cluster = ClusterOption { url: "redis://:s3cret@10.0.0.5".to_owned(), wait_replicas: 1 };
    assert!(!format!("{cluster:?}").contains("s3cret"));
    let definition = definition();
    let arg = options_of(&definition).find(|arg| arg.get_id() == "cluster").expect("there is one");
    assert!(arg.is_hide_env_values_set());
}

fn options_of(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command_line::options(command)
}

#[test]
fn of_an_option_given_twice_the_last_one_counts() {
    assert_eq!(options(&["--rate", "8", "--rate=9"]).limits.rate, 9);
}

#[test]
fn how_much_is_logged() {
    use log::LevelFilter::{Debug, Error, Info, Trace};
    let level = |args: &[&str]| options(args).log_level;
    assert_eq!(level(&[]), Info);
    assert_eq!(level(&["-v"]), Debug);
    assert_eq!(level(&["-v", "--verbose", "-v"]), Trace);
    assert_eq!(level(&["-q"]), Error);
    assert_eq!(level(&["-q", "-v"]), Debug);
    assert_eq!(level(&["-v", "-q"]), Error);
}

#[test]
fn addresses_are_written_in_many_ways() {
    let listen = |value| listeners(&["--listen", value], None).0;
    assert_eq!(listen("192.168.1.20:80"), "192.168.1.20:80");
    assert_eq!(listen(":80"), "[::]:80");
    assert_eq!(listen("80"), "[::]:80");
    assert_eq!(listen("0.0.0.0:80"), "0.0.0.0:80");
    assert_eq!(listen("[::1]:80"), "[::1]:80");
    assert_eq!(listen("localhost:0"), "127.0.0.1:0");
    for wrong in ["", "off", "127.0.0.1", ":", "::1:5000:x", ":65536", ":+80", "chat.example:80", "*"] {
        let sentence = refusal(&["--listen", wrong], None);
        assert!(sentence.starts_with("snugd: \"--listen\" wants a"), "{sentence}");
    }
}

#[cfg(feature = "mdns")]
#[test]
fn it_has_a_name_on_the_network_but_where_a_platform_sets_a_port() {
    let name = |args: &[&str], port| parse(args, port).expect("options").mdns;
    assert_eq!(name(&[], None).as_deref(), Some("snugd"));
    assert_eq!(name(&["--mdns", "Class.local"], None).as_deref(), Some("class"));
    assert_eq!(name(&["--mdns", "off"], None), None);
    assert_eq!(name(&[], Some("8080")), None);
    assert_eq!(name(&["--mdns", "class"], Some("8080")).as_deref(), Some("class"));
    let hosts = options(&["--mdns", "class", "--public-url", "https://a.example"]).web.allowed_hosts;
    assert_eq!(hosts, ["a.example", "class.local"]);
}

#[test]
fn port_moves_the_web_and_closes_the_line() {
    let port = Some("8080");
    assert_eq!(listeners(&[], port), pair("0.0.0.0:8080", "off"));
    assert_eq!(listeners(&["--line-listen", ":23"], port), pair("0.0.0.0:8080", "[::]:23"));
    assert_eq!(listeners(&["--listen", ":80"], port), pair("[::]:80", "off"));
    assert_eq!(listeners(&[], None), pair("[::]:5000", "[::]:5001"));
    for wrong in ["http", "+80", " 80", "65536"] {
        let sentence = format!("snugd: PORT wants a port number from 0 to 65535, not {wrong:?}. See snugd --help.");
        assert_eq!(refusal(&[], Some(wrong)), sentence);
    }
}

#[test]
fn the_line_can_be_off_but_not_where_the_web_is() {
    assert_eq!(listeners(&["--line-listen", "off"], None), pair("[::]:5000", "off"));
    assert_eq!(listeners(&["--listen=:0", "--line-listen=:0"], None), pair("[::]:0", "[::]:0"));
    let sentence = refusal(&["--line-listen", ":5000"], None);
    assert!(sentence.contains("cannot share [::]:5000"), "{sentence}");
    for (web, line) in [
        ("[::]:80", "0.0.0.0:80"),
        ("0.0.0.0:80", "[::]:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("[::1]:80", "[::]:80"),
        ("127.0.0.1:80", "0.0.0.0:80"),
        ("127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
    ] {
        let sentence = refusal(&["--listen", web, "--line-listen", line], None);
        assert!(sentence.contains(&format!("cannot share {line}")), "{sentence}");
    }
    for (web, line) in [("127.0.0.1:80", "[::1]:80"), ("0.0.0.0:80", "[::1]:80"), ("[::1]:80", "127.0.0.2:80")] {
        assert_eq!(listeners(&["--listen", web, "--line-listen", line], None), pair(web, line));
    }
}

#[test]
fn a_list_is_repeated_or_has_commas() {
    let args = ["--allowed-host", "a.example, B.example.", "--allowed-host", "c.example", "--mdns", "off"];
    assert_eq!(options(&args).web.allowed_hosts, ["a.example", "b.example", "c.example"]);
    assert_eq!(options(&["--trusted-proxy", "127.0.0.1,10.0.0.0/8"]).web.trusted_proxies.len(), 2);
}

#[test]
fn files_lie_where_the_data_does_unless_told_otherwise() {
    let place = |args: &[&str]| options(args).files.place;
    assert_eq!(place(&["--files", "off"]), FilesPlace::Off);
    assert_eq!(place(&["--files", "./off"]), FilesPlace::Folder("./off".into()));
    #[cfg(feature = "sqlite")]
    assert_eq!(place(&["--data", "snugd.db"]), FilesPlace::BesideData);
    let limits = options(&["--max-files", "10M"]).files.limits;
    assert_eq!((limits.file_bytes, limits.all_bytes), (10 << 20, 10 << 20), "one file is no larger than all");
}

#[test]
fn the_public_url_keeps_a_path_of_its_own_and_lets_its_host_in() {
    let web = |args: &[&str]| options(&[args, &["--mdns", "off"]].concat()).web;
    let bare = web(&["--public-url", "https://Chat.example:443/", "--base-path", "chat"]);
    assert_eq!(bare.public_url.as_deref(), Some("https://chat.example/chat"));
    assert_eq!(bare.allowed_hosts, ["chat.example"]);
    let own = web(&["--public-url=http://chat.example:8080/rooms", "--base-path=/chat"]);
    assert_eq!(own.public_url.as_deref(), Some("http://chat.example:8080/rooms"));
    let plain = web(&["--public-url=https://chat.example/"]);
    assert_eq!(plain.public_url.as_deref(), Some("https://chat.example"));
    let twice = web(&["--public-url=http://a.example", "--allowed-host=a.example"]);
    assert_eq!(twice.allowed_hosts, ["a.example"]);
}

#[test]
fn wrong_usage_is_answered_with_one_sentence() {
    let cases: &[(&[&str], &str)] = &[
        (&["--grace", "abc"], "\"--grace\" wants a time like 15s, 10m, 1h or 30d, not \"abc\"."),
        (&["--grace", "9999999d"], "\"--grace\" wants a time of at most 36500d, not \"9999999d\"."),
        (&["--code-length=3"], "\"--code-length\" wants a whole number from 4 to 12, not \"3\"."),
        (&["--rate", "-1"], "\"--rate\" wants a whole number from 0 to 1000000, not \"-1\"."),
        (&["--accounts", "none"], "\"--accounts\" wants open, closed or required, not \"none\"."),
        (
            &["--auth-header", "Remote User"],
            "\"--auth-header\" wants the name of a header field like Remote-User, not \"Remote User\".",
        ),
        (
            &["--auth-header", "Remote-User"],
            "--auth-header is believed from trusted proxies only: name yours with --trusted-proxy.",
        ),
        (
            &["--admin", "ana"],
            "--admin names accounts that snugd account makes: have them kept by --data or --cluster.",
        ),
        (&["--files", ""], "\"--files\" wants a folder, or off, not \"\"."),
        (&["--max-file", "0K"], "\"--max-file\" wants a size like 64K, 25M or 1G, at least 1K, not \"0K\"."),
        (&["--max-files", "25"], "\"--max-files\" wants a size like 64K, 25M or 1G, at least 1K, not \"25\"."),
        (&["--log", "xml"], "\"--log\" wants text, logfmt or json, not \"xml\"."),
        (&["--grace"], "\"--grace\" wants a value after it."),
        (&["--grace", "--rate", "1"], "\"--grace\" wants a value after it."),
        (&["--quiet=1"], "\"--quiet\" takes no value."),
        (&["--umbrella"], "There is no option \"--umbrella\"."),
        (&["-x"], "There is no option \"-x\"."),
        (&["account"], "snugd account wants add, list, password or remove after it."),
        (&["account", "--data", "a.db"], "snugd account wants add, list, password or remove after it."),
        (&["account", "dance"], "snugd account wants add, list, password or remove after it, not \"dance\"."),
        (
            &["acount", "list"],
            "\"acount\" is neither a command (account, backup, check, completions, export, healthcheck, join) nor an option, such as --listen :8080.",
        ),
        (
            &["8080"],
            "\"8080\" is neither a command (account, backup, check, completions, export, healthcheck, join) nor an option, such as --listen :8080.",
        ),
    ];
    for (args, expected) in cases {
        assert_eq!(refusal(args, None), format!("snugd: {expected} See snugd --help."));
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_utf8_is_refused_in_words() {
    use std::os::unix::ffi::OsStringExt;
    let args = ["snugd".into(), "--grace".into(), OsString::from_vec(vec![0xff])];
    let exit = Options::parse_command_line(args).expect_err("bytes were accepted");
    assert_eq!(exit.status, 2);
    assert_eq!(exit.text, "snugd: \"--grace\" wants text in UTF-8. See snugd --help.");
}

#[test]
fn help_and_version_are_no_failures() {
    let exit = parse(&["--version"], None).expect_err("the version");
    assert_eq!((exit.status, exit.text.trim_end()), (0, "snugd 0.1.0"));
    let exit = parse(&["--help"], None).expect_err("the help");
    assert_eq!(exit.status, 0);
    for line in exit.text.lines() {
        assert!(line.chars().count() <= 80, "too wide to read: {line}");
    }
}

#[test]
#[cfg(feature = "sqlite")]
fn a_data_file_is_named_as_it_is() {
    assert_eq!(options(&["--data", "rooms/snugd.db"]).data, Some(PathBuf::from("rooms/snugd.db")));
    assert_eq!(options(&[]).data, None);
}

#[test]
#[cfg(not(feature = "sqlite"))]
fn without_sqlite_there_are_no_data_files() {
    assert!(refusal(&["--data", "snugd.db"], None).contains("built without SQLite"));
}

#[test]
#[cfg(not(feature = "accounts"))]
fn without_accounts_nobody_is_asked_for_one() {
    for words in [&["--accounts", "required"][..], &["--auth-header", "Remote-User", "--trusted-proxy", "10.0.0.1"]] {
        assert!(refusal(words, None).contains("built without accounts"), "{words:?}");
    }
}

#[test]
fn subcommands_stand_alone() {
    let subcommand = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        options(&words).subcommand
    };
    assert!(matches!(
        subcommand("backup a.db --to b.db"),
        Some(Subcommand::Backup { file: Some(file), to: Some(to), files: None, cluster: None })
            if file.as_os_str() == "a.db" && to.as_os_str() == "b.db"
    ));
    assert!(matches!(
        subcommand("export --cluster redis://a KXQT"),
        Some(Subcommand::Export { file: None, code, cluster, .. })
            if code == "KXQT" && cluster.url.as_deref() == Some("redis://a")
    ));
    for words in ["account --cluster redis://a add ana", "account add ana --cluster redis://a"] {
        assert!(matches!(
            subcommand(words),
            Some(Subcommand::Account { file: None, cluster, action: AccountSubcommand::Add { name } })
                if name == "ana" && cluster.url.as_deref() == Some("redis://a")
        ));
    }
    assert!(matches!(
        subcommand("export a.db KXQT --format json"),
        Some(Subcommand::Export { code, format: ExportFormat::Json, .. }) if code == "KXQT"
    ));
    assert!(matches!(subcommand("export a.db KXQT"), Some(Subcommand::Export { format: ExportFormat::Text, .. })));
    assert!(refusal(&["export", "a.db", "KXQT", "--format", "xml"], None).contains("text or json"));
    assert!(refusal(&["backup", "a.db"], None).contains("--to"));
    assert!(refusal(&["restore"], None).contains("restore"));
}
