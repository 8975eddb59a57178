//! The options and subcommands, and their help.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

use super::cidr::{Cidr, ProxyPeer};
use super::listener::{ListenAddress, OptionalListen};
use super::values::{
    self, AccountPolicy, ColourChoice, ExportFormat, FilesPlace, LogFormat, MdnsName, PublicUrl, Shell, WebAddress,
    number, read_base_path, read_count, read_file_size_bytes, read_host, read_origin, read_size_bytes, read_switch,
    read_time_ms,
};

/// Chat rooms in one small binary: browsers and terminals in the same rooms
#[derive(Debug, Parser)]
#[command(name = "snugd", version, args_override_self = true, allow_negative_numbers = true)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
#[command(after_help = "\
Defaults stand in brackets. Addresses are written 127.0.0.1:5000, [::1]:5000,
localhost:5000, :5000 or 5000; [::] is every address, IPv4 and IPv6, 0.0.0.0
every IPv4 address, port 0 takes a free one; unix:PATH is a Unix socket. Times
are written 15s, 10m, 1h, 30d; sizes 64K, 25M, 1G. An address, admin, proxy,
origin or host is given several times, or with commas between.

Each option is also an environment variable, SNUGD_ and its name in capitals,
as SNUGD_LINE_LISTEN, and with _FILE after that names a file with the value, for
secrets. The option wins, then the variable, then --config. PORT=8080 means
--listen 0.0.0.0:8080 --line-listen off, unless options or variables differ.

Examples:
  snugd                            Rooms for everybody on this network
  snugd --data snugd.db            What is said outlives the program
  snugd --tls-cert cert.pem --tls-key key.pem --listen :443
                                   Encrypted, without a proxy
  snugd --listen 127.0.0.1:5000 --trusted-proxy 127.0.0.1 \\
        --public-url https://chat.example.org
                                   Behind a proxy that encrypts
  snugd check --config snugd.toml  What is in force, and what is wrong")]
pub(super) struct Arguments {
    /// Where browsers connect [default: [::]:5000]
    #[arg(long, env = "SNUGD_LISTEN", value_name = "ADDR")]
    #[arg(value_delimiter = ',', value_parser = ListenAddress::read, help_heading = "Addresses")]
    pub listen: Vec<ListenAddress>,

    /// Where nc and telnet connect, or off [default: [::]:5001]
    #[arg(long, env = "SNUGD_LINE_LISTEN", value_name = "ADDR")]
    #[arg(value_delimiter = ',', value_parser = OptionalListen::read, help_heading = "Addresses")]
    pub line_listen: Vec<OptionalListen>,

    /// Where terminals connect over TLS [default: nowhere]
    #[arg(long, env = "SNUGD_LINE_TLS_LISTEN", value_name = "ADDR")]
    #[arg(value_delimiter = ',', value_parser = OptionalListen::read, help_heading = "Addresses")]
    pub line_tls_listen: Vec<OptionalListen>,

    /// Where /metrics is [default: with --listen]
    #[arg(long, env = "SNUGD_METRICS_LISTEN", value_name = "ADDR")]
    #[arg(value_delimiter = ',', value_parser = ListenAddress::read, help_heading = "Addresses")]
    pub metrics_listen: Vec<ListenAddress>,

    /// PEM file with a certificate, for HTTPS [default: none]
    #[arg(long, env = "SNUGD_TLS_CERT", value_name = "FILE", help_heading = "Addresses")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with its key [default: none]
    #[arg(long, env = "SNUGD_TLS_KEY", value_name = "FILE", help_heading = "Addresses")]
    pub tls_key: Option<PathBuf>,

    /// Found on the LAN as NAME.local, or off [default: snugd]
    #[arg(long, env = "SNUGD_MDNS", value_name = "NAME")]
    #[arg(value_parser = MdnsName::read, help_heading = "Addresses")]
    pub mdns: Option<MdnsName>,

    /// SQLite file for rooms, accounts and history [default: memory]
    #[arg(long, env = "SNUGD_DATA", value_name = "FILE", help_heading = "Rooms")]
    pub data: Option<PathBuf>,

    /// Redis by which nodes share rooms [default: none]
    #[arg(long, env = "SNUGD_CLUSTER", value_name = "URL", hide_env_values = true, help_heading = "Rooms")]
    pub cluster: Option<String>,

    /// Replicas that have a change before it is seen
    #[arg(long, env = "SNUGD_CLUSTER_WAIT", value_name = "N", default_value = "0")]
    #[arg(value_parser = number::<u32>(0, 100), help_heading = "Rooms")]
    pub cluster_wait: u32,

    /// Events kept a room, for whoever comes back
    #[arg(long, env = "SNUGD_HISTORY", value_name = "N", default_value = "1000")]
    #[arg(value_parser = number::<usize>(1, 1_000_000), help_heading = "Rooms")]
    pub history: usize,

    /// How long a room outlives its last member
    #[arg(long, env = "SNUGD_ROOM_TTL", value_name = "TIME", default_value = "1h")]
    #[arg(value_parser = read_time_ms, help_heading = "Rooms")]
    pub room_ttl: u64,

    /// How long a dropped connection keeps its place
    #[arg(long, env = "SNUGD_GRACE", value_name = "TIME", default_value = "15s")]
    #[arg(value_parser = read_time_ms, help_heading = "Rooms")]
    pub grace: u64,

    /// Letters in a room's code, 4 to 12
    #[arg(long, env = "SNUGD_CODE_LENGTH", value_name = "N", default_value = "4")]
    #[arg(value_parser = number::<usize>(4, 12), help_heading = "Rooms")]
    pub code_length: usize,

    /// Members of one room; 0: no limit
    #[arg(long, env = "SNUGD_MAX_MEMBERS", value_name = "N", default_value = "1000")]
    #[arg(value_parser = number::<usize>(0, 1_000_000), help_heading = "Rooms")]
    pub max_members: usize,

    /// Memory for the history of all rooms
    #[arg(long, env = "SNUGD_MEMORY", value_name = "SIZE", default_value = "256M")]
    #[arg(value_parser = read_size_bytes, help_heading = "Limits")]
    pub memory: usize,

    /// Bytes in one message
    #[arg(long, env = "SNUGD_MAX_MESSAGE", value_name = "BYTES", default_value = "4096")]
    #[arg(value_parser = number::<usize>(1, 1_048_576), help_heading = "Limits")]
    pub max_message: usize,

    /// Messages a second, bursts of 4x; 0: no limit
    #[arg(long, env = "SNUGD_RATE", value_name = "N", default_value = "5")]
    #[arg(value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub rate: u32,

    /// Unknown codes a minute an address; 0: no limit
    #[arg(long, env = "SNUGD_JOIN_RATE", value_name = "N", default_value = "10")]
    #[arg(value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub join_rate: u32,

    /// Rooms created a minute an address; 0: no limit
    #[arg(long, env = "SNUGD_CREATE_RATE", value_name = "N", default_value = "10")]
    #[arg(value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub create_rate: u32,

    /// Connections at once; 0: the system's limit
    #[arg(long, env = "SNUGD_MAX_CONNECTIONS", value_name = "N", default_value = "10000")]
    #[arg(value_parser = number::<usize>(0, 10_000_000), help_heading = "Limits")]
    pub max_connections: usize,

    /// Connections from one address; 0: no limit
    #[arg(long, env = "SNUGD_MAX_PER_IP", value_name = "N", default_value = "256")]
    #[arg(value_parser = number::<usize>(0, 10_000_000), help_heading = "Limits")]
    pub max_per_ip: usize,

    /// Folder of files, or off [default: beside --data, or temporary]
    ///
    /// With `--cluster`: none. A folder that is named is that of all nodes.
    #[arg(long, env = "SNUGD_FILES", value_name = "DIR")]
    #[arg(value_parser = FilesPlace::read, help_heading = "Files")]
    pub files: Option<FilesPlace>,

    /// Bytes in one file
    #[arg(long, env = "SNUGD_MAX_FILE", value_name = "SIZE", default_value = "25M")]
    #[arg(value_parser = read_file_size_bytes, help_heading = "Files")]
    pub max_file: u64,

    /// Bytes in all files, a quarter from one address
    #[arg(long, env = "SNUGD_MAX_FILES", value_name = "SIZE", default_value = "1G")]
    #[arg(value_parser = read_file_size_bytes, help_heading = "Files")]
    pub max_files: u64,

    /// Who may claim a name: open, closed or required
    #[arg(long, env = "SNUGD_ACCOUNTS", value_name = "HOW", default_value = "open")]
    #[arg(value_enum, help_heading = "People")]
    pub accounts: AccountPolicy,

    /// Account that is an operator everywhere [default: none]
    #[arg(long, env = "SNUGD_ADMIN", value_name = "NAME")]
    #[arg(value_delimiter = ',', help_heading = "People")]
    pub admin: Vec<String>,

    /// Header with the name a proxy has checked [default: none]
    #[arg(long, env = "SNUGD_AUTH_HEADER", value_name = "NAME")]
    #[arg(value_parser = values::read_field_name, help_heading = "Behind a proxy")]
    pub auth_header: Option<String>,

    /// What invitations show [default: guessed]
    #[arg(long, env = "SNUGD_PUBLIC_URL", value_name = "URL")]
    #[arg(value_parser = values::read_public_url, help_heading = "Behind a proxy")]
    pub public_url: Option<PublicUrl>,

    /// Path under which everything is served
    #[arg(long, env = "SNUGD_BASE_PATH", value_name = "PATH", default_value = "/")]
    #[arg(value_parser = read_base_path, help_heading = "Behind a proxy")]
    pub base_path: String,

    /// Whose X-Forwarded-For is believed [default: none]
    #[arg(long, env = "SNUGD_TRUSTED_PROXY", value_name = "CIDR")]
    #[arg(value_delimiter = ',', value_parser = Cidr::read, help_heading = "Behind a proxy")]
    pub trusted_proxy: Vec<Cidr>,

    /// Who sends PROXY headers, CIDR or unix [default: none]
    #[arg(long, env = "SNUGD_PROXY_PROTOCOL", value_name = "CIDR")]
    #[arg(value_delimiter = ',', value_parser = ProxyPeer::read, help_heading = "Behind a proxy")]
    pub proxy_protocol: Vec<ProxyPeer>,

    /// Whose pages may connect [default: the Host itself]
    #[arg(long, env = "SNUGD_ALLOWED_ORIGIN", value_name = "ORIGIN")]
    #[arg(value_delimiter = ',', value_parser = read_origin, help_heading = "Behind a proxy")]
    pub allowed_origin: Vec<String>,

    /// Host names that are answered [default: any]
    #[arg(long, env = "SNUGD_ALLOWED_HOST", value_name = "NAME")]
    #[arg(value_delimiter = ',', value_parser = read_host, help_heading = "Behind a proxy")]
    pub allowed_host: Vec<String>,

    /// Form of the log on stderr: text, logfmt or json
    #[arg(long, env = "SNUGD_LOG", value_name = "FORMAT", default_value = "text")]
    #[arg(value_enum, help_heading = "Configuration and log")]
    pub log: LogFormat,

    /// Log more, to follow what goes on; -vv: everything
    #[arg(short, long, env = "SNUGD_VERBOSE")]
    #[arg(action = ArgAction::Count, value_parser = read_count, overrides_with = "quiet", help_heading = "Configuration and log")]
    pub verbose: u8,

    /// Log failures only
    #[arg(short, long, env = "SNUGD_QUIET")]
    #[arg(action = ArgAction::SetTrue, value_parser = read_switch, overrides_with = "verbose", help_heading = "Configuration and log")]
    pub quiet: bool,

    /// TOML file with these options, as rate = 5 [default: none]
    #[arg(long, env = "SNUGD_CONFIG", value_name = "FILE", help_heading = "Configuration and log")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
}

/// What can be done instead of serving: mostly with what keeps the rooms, also while it is in use.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Copy a data file, also one in use
    #[command(override_usage = "snugd backup [OPTIONS] --to <COPY> <FILE>")]
    Backup {
        /// The data file
        #[arg(value_name = "FILE", required_unless_present = "cluster")]
        file: Option<PathBuf>,
        /// Where the copy goes; nothing may be there yet
        #[arg(long, value_name = "COPY", required_unless_present = "cluster")]
        to: Option<PathBuf>,
        /// Where the shared files lie, if not beside the data file
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        /// Whoever looks for this is told what to do instead.
        #[arg(long, value_name = "URL", hide = true)]
        cluster: Option<String>,
    },
    /// Manage accounts, also while a server or nodes use them
    #[command(after_help = "\
They are in a data file, or in the Redis by which nodes share rooms. Without
--data and --cluster they are where a server with this environment has them:
SNUGD_DATA, SNUGD_CLUSTER, or SNUGD_CLUSTER_FILE, which names a file with the
address, since one with a password does not belong on a command line.")]
    Account {
        /// The data file
        #[arg(long = "data", value_name = "FILE", global = true)]
        file: Option<PathBuf>,
        #[command(flatten)]
        cluster: ClusterArguments,
        #[command(subcommand)]
        action: AccountSubcommand,
    },
    /// Enter a room from this terminal, or from a script
    Join(JoinOptions),
    /// Write what was said in a room to standard output
    #[command(allow_missing_positional = true)]
    #[command(after_help = "\
Without a data file and --cluster it is where a server with this environment
has it: SNUGD_DATA, SNUGD_CLUSTER, or SNUGD_CLUSTER_FILE, which names a file
with the address, since one with a password does not belong on a command line.")]
    Export {
        /// The data file, unless --cluster is given
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// The room's code
        #[arg(value_name = "CODE")]
        code: String,
        #[command(flatten)]
        cluster: ClusterArguments,
        /// json: an object a line; text: as terminals show it
        #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
        format: ExportFormat,
    },
    /// Tell what is in force, from where, and what is wrong
    Check {
        /// For machines: one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write completions for bash, zsh or fish
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Ask a server started with the same options if it is well
    Healthcheck {
        /// Where to ask instead, as http://127.0.0.1:5000
        #[arg(long, value_name = "URL", value_parser = values::read_web_address)]
        url: Option<WebAddress>,
        /// Whether it is ready to serve, not only alive
        #[arg(long)]
        ready: bool,
    },
}

/// By what nodes share the rooms that a subcommand is about: what is left out is found where a server finds it.
///
/// They are not called like those of the server: what is global is taken for what has its name further up as well.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ClusterArguments {
    /// Redis by which nodes share rooms, instead
    #[arg(long = "cluster", value_name = "URL", global = true)]
    pub url: Option<String>,
    /// Replicas that have it before it is done or shown
    #[arg(long = "cluster-wait", value_name = "N", value_parser = number::<u32>(0, 100), global = true)]
    pub wait_replicas: Option<u32>,
    /// The server's TOML file, where it has the address
    #[arg(long = "config", value_name = "FILE", global = true)]
    pub config_file: Option<PathBuf>,
}

/// How a room is entered from a terminal.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Without a terminal, the lines of standard input are said, and what is said is
written to standard output, a line each. When the input has ended it leaves, once
all is acknowledged. With --json it writes the server's own messages, and a line
that is a client's message is sent as it is.

It ends with status 0 when the room was left; 1 when it was refused or lost for
good, or something that a script wrote was refused; 2 when it was called
wrongly.")]
pub struct JoinOptions {
    /// HOST, HOST:PORT (the pages' port: 5000), or an invitation's link
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The room's code, if it is not in the link; new: open a room
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Your name there; asked for at a terminal
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// One JSON object a line, for scripts
    #[arg(long)]
    pub json: bool,
    /// Colours: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", value_enum)]
    pub color: ColourChoice,
    /// Ring when somebody says your name
    #[arg(long)]
    pub bell: bool,
    /// File whose first line is your account's password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// File whose first line is the room's key
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// PEM file to trust for https, not the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// How long to try to come back [default: 10m, a
    /// person at a terminal: for ever]
    #[arg(long, value_name = "TIME", value_parser = read_time_ms)]
    pub give_up: Option<u64>,
}

/// What is to be done with accounts.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum AccountSubcommand {
    /// Claim a name for somebody; asks for the password, or reads a line
    Add {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the names that are claimed
    List,
    /// Give a name up; its sessions end
    Remove {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Set another password, as add does; the account's sessions end
    Password {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
}
