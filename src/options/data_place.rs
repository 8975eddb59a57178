//! Where a subcommand finds what a server keeps: as its own command line says, or else as a server that is started here
//! would be told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::arguments::ClusterArguments;
use super::settings::{Environment, Settings, Source, environment};
use super::{ClusterOption, Exit, Findings, command_line};

/// The options of a server that tell where it keeps rooms and accounts.
const OF_PLACE: [&str; 4] = ["data", "cluster", "cluster-wait", "config"];

/// Where rooms and accounts are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataPlace {
    /// In this data file.
    File(PathBuf),
    /// In a log that nodes share.
    Cluster(ClusterOption),
}

impl DataPlace {
    /// Finds the place that a subcommand is about. A data file is named by `file`, all else by what was `given`; what was
    /// given for neither, the environment and the configuration file may have. `None`: nobody has said anything.
    ///
    /// # Errors
    /// [`Exit`] for what does not go together, or is wrong.
    pub fn find(file: Option<&Path>, given: &ClusterArguments) -> Result<Option<DataPlace>, Exit> {
        DataPlace::find_in(file, given, &environment)
    }

    fn find_in(
        file: Option<&Path>,
        given: &ClusterArguments,
        environment: Environment<'_>,
    ) -> Result<Option<DataPlace>, Exit> {
        let command_line = command_line::read(&as_of_server(file, given))?;
        // Who names a file means that alone.
        let environment = Some(environment).filter(|_| file.is_none());
        let mut settings = Settings::gather(&[&command_line.given], environment);
        settings.all.retain(|setting| {
            let is_given = *setting.source() == Source::CommandLine;
            let is_in_question = given.url.is_none() || setting.name != "data" || is_given;
            OF_PLACE.contains(&setting.name.as_str()) && is_in_question
        });
        settings.faults.retain(|fault| {
            let is_of_place = |option: &String| OF_PLACE.contains(&option.as_str());
            fault.options.is_empty() || fault.options.iter().any(is_of_place)
        });
        let options = Findings::of(settings).into_options()?;
        let in_log = options.cluster.map(DataPlace::Cluster);
        Ok(in_log.or(options.data.map(DataPlace::File)))
    }
}

/// The same on the command line of a server.
fn as_of_server(file: Option<&Path>, given: &ClusterArguments) -> Vec<OsString> {
    let ClusterArguments { url, wait_replicas, config_file } = given;
    let mut written = vec![OsString::from("snugd")];
    let mut write = |name: &str, value: OsString| {
        let mut option = OsString::from(format!("--{name}="));
        option.push(value);
        written.push(option);
    };
    file.into_iter().for_each(|file| write("data", file.into()));
    url.iter().for_each(|url| write("cluster", url.into()));
    wait_replicas.iter().for_each(|replicas| write("cluster-wait", replicas.to_string().into()));
    config_file.iter().for_each(|file| write("config", file.into()));
    written
}

#[cfg(all(test, feature = "cluster", feature = "sqlite"))]
mod tests {
    use super::*;

    const URL: &str = "redis://:s3cret@10.0.0.5";

    fn find(file: Option<&str>, url: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<DataPlace>, Exit> {
        let given = ClusterArguments { url: url.map(str::to_owned), ..ClusterArguments::default() };
        let environment =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        DataPlace::find_in(file.map(Path::new), &given, &environment)
    }

    fn in_file(file: &str) -> Option<DataPlace> {
        Some(DataPlace::File(file.into()))
    }

    fn in_log(url: &str, wait_replicas: u32) -> Option<DataPlace> {
        Some(DataPlace::Cluster(ClusterOption { url: url.to_owned(), wait_replicas }))
    }

    #[test]
    fn what_is_given_counts_more_than_what_a_server_is_told() {
        let variables = [("SNUGD_CLUSTER", "redis://other"), ("SNUGD_CLUSTER_WAIT", "2"), ("SNUGD_RATE", "nonsense")];
        assert_eq!(find(Some("a.db"), None, &variables), Ok(in_file("a.db")));
        assert_eq!(find(None, Some(URL), &variables), Ok(in_log(URL, 2)));
        assert_eq!(find(None, None, &variables), Ok(in_log("redis://other", 2)));
        assert_eq!(find(None, Some(URL), &[("SNUGD_DATA", "b.db")]), Ok(in_log(URL, 0)));
        assert_eq!(find(None, None, &[("SNUGD_DATA", "b.db")]), Ok(in_file("b.db")));
        assert_eq!(find(None, None, &[("SNUGD_RATE", "nonsense")]), Ok(None));
    }

    #[test]
    fn an_address_comes_from_a_file_as_that_of_a_server_does() {
        let file = std::env::temp_dir().join(format!("snugd-address-{}", std::process::id()));
        std::fs::write(&file, format!("{URL}\n")).expect("it can be written");
        let found = find(None, None, &[("SNUGD_CLUSTER_FILE", file.to_str().expect("UTF-8"))]);
        let config = file.with_extension("toml");
        std::fs::write(&config, format!("cluster = \"{URL}\"\ncluster-wait = 1\nrate = 7\n"))
            .expect("it can be written");
        let given = ClusterArguments { config_file: Some(config.clone()), ..ClusterArguments::default() };
        let configured = DataPlace::find_in(None, &given, &|_| None);
        let missing = find(None, None, &[("SNUGD_CLUSTER_FILE", "/no/such/file")]);
        std::fs::remove_file(&file).and_then(|()| std::fs::remove_file(&config)).expect("they are there");
        assert_eq!(found, Ok(in_log(URL, 0)));
        assert_eq!(configured, Ok(in_log(URL, 1)));
        let missing = missing.expect_err("there is no such file");
        assert!(missing.status == 2 && missing.text.contains("SNUGD_CLUSTER_FILE"), "{}", missing.text);
    }

    #[test]
    fn rooms_are_in_one_place() {
        let both = find(Some("a.db"), Some(URL), &[]).expect_err("they are in one place");
        assert!(both.text.contains("leave one of them out") && !both.text.contains("s3cret"), "{}", both.text);
        let told = [("SNUGD_DATA", "b.db"), ("SNUGD_CLUSTER", URL)];
        assert!(find(None, None, &told).expect_err("they are in one place").text.contains("leave one of them out"));
        let given = ClusterArguments { wait_replicas: Some(1), ..ClusterArguments::default() };
        let of_nothing =
            DataPlace::find_in(Some(Path::new("a.db")), &given, &|_| None).expect_err("it has no replicas");
        assert!(of_nothing.text.contains("name that with --cluster"), "{}", of_nothing.text);
    }
}
