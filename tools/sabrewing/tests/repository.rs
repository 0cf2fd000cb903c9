//! The shape of the repository, as tables: who may know whom, what stays out of `engine`, what lies at the top,
//! what each chosen package is for. Stands in the crate that knows all the others.
//!
//! A failure names the row. To change the shape, change the table, and say in the commit why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Room | which other rooms it may know, in its tests too.
const ROOMS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("wire", &["engine"]),
    ("feeds", &["engine", "wire"]),
    ("strategies", &["engine"]),
    ("gateway", &["engine", "wire"]),
];

/// Crates that wire the rooms together or try all of them; every crate that is not in a table knows `engine`
/// only.
const KNOW_ALL: &str = "
    sabrewing sim backtest fuzz record
";

/// Crate | which other rooms it may know besides `engine` | what for.
const ALSO_KNOW: &[(&str, &[&str], &str)] = &[(
    "journal",
    &["sabrewing"],
    "explain: book and features of an order are rebuilt by the stages that had built them; feature `recompute`",
)];

/// Packages that `engine` must build without, directly or through others: network, async, JSON.
const NOT_IN_ENGINE: &str = "
    async-io async-std aws-lc-rs curl futures futures-core h2 hyper io-uring json mio native-tls openssl reqwest
    ring rustls serde_json simd-json smol socket2 sonic-rs tokio tokio-uring tungstenite ureq
";

/// What may lie at the top.
const TOP_LEVEL: &str = "
    .cargo .ci .gitignore Cargo.lock Cargo.toml LICENSE-APACHE LICENSE-MIT README.md benches clippy.toml docs
    engine feeds gateway rust-toolchain.toml rustfmt.toml scripts strategies tools tuning
";

/// The packages that the project was asked to use.
const CHOSEN: &str = "
    core_affinity criterion crossbeam fixed hdrhistogram io-uring memmap2 mio quanta rtrb rustls simd-json
";

/// Chosen package | crate that depends on it | what a source file of that crate says | what for.
/// A crate that depends on a chosen package has a row for it.
const USES: &[(&str, &str, &str, &str)] = &[
    ("core_affinity", "engine", "core_affinity::set_for_current", "pinning"),
    ("core_affinity", "sabrewing", "core_affinity::set_for_current", "doctor: gaps of a pinned thread"),
    ("crossbeam", "engine", "crossbeam::utils::Backoff", "idling"),
    ("crossbeam", "engine", "crossbeam::channel", "orders to the journal's helper thread"),
    ("crossbeam", "feeds", "crossbeam::channel", "blocks of lines from the thread that reads captures"),
    (
        "hdrhistogram",
        "latency-report",
        "hdrhistogram::Histogram",
        "percentile files for HdrHistogram's plotters",
    ),
    ("hdrhistogram", "sabrewing", "hdrhistogram::Histogram", "doctor: scheduling gaps"),
    ("io-uring", "wire", "use io_uring::", "sockets: receives that stand in the kernel"),
    ("memmap2", "engine", "memmap2::MmapRaw", "counters file"),
    ("memmap2", "engine", "memmap2::{MmapOptions, MmapRaw}", "journal segments"),
    ("mio", "venue-sim", "use mio::", "the simulated venue's sockets"),
    ("mio", "wire", "use mio::", "sockets: readiness from epoll"),
    ("quanta", "engine", "quanta::Clock", "latency stamps"),
    ("quanta", "sabrewing", "quanta::Clock", "doctor: scheduling gaps"),
    ("rtrb", "engine", "use rtrb::", "rings between stages"),
    ("rtrb", "feeds", "use rtrb::", "snapshots from the thread that fetches them"),
    ("rustls", "venue-sim", "use rustls::", "the simulated venue's side of TLS"),
    ("rustls", "wire", "use rustls::", "TLS"),
    ("simd-json", "feeds", "use simd_json::", "the general decoder"),
];

/// Chosen package that no crate depends on yet | the piece of work that brings it.
const AWAITED: &[(&str, &str)] = &[
    ("criterion", "Speed: micro-benches of what a trade waits for"),
    ("fixed", "It trades: fractional ticks"),
];

/// Crates on the way of a trade, by folder: stricter lints.
const HOT: &[&str] = &["engine", "engine/wire", "feeds", "gateway"];

#[test]
fn crates_know_only_whom_they_may() {
    let workspace = Workspace::read();
    for member in &workspace.members {
        let known = member.dependencies.iter().filter(|name| workspace.member(name).is_some());
        let known: BTreeSet<_> = known.map(String::as_str).collect();
        let room = ROOMS.iter().find(|(name, _)| *name == member.name);
        let also =
            ALSO_KNOW.iter().find(|(name, ..)| *name == member.name).map_or(&[][..], |(_, may, _)| may);
        let may: BTreeSet<_> = match room {
            Some((_, may)) => may.iter().copied().collect(),
            None if listed(KNOW_ALL, &member.name) => known.clone(),
            None => ["engine"].iter().chain(also).copied().collect(),
        };
        assert!(known.is_subset(&may), "{} knows {known:?}, and may know {may:?}", member.name);
    }
    for (name, also, purpose) in ALSO_KNOW {
        let member = workspace.member(name).unwrap_or_else(|| panic!("ALSO_KNOW lists {name}, no crate"));
        for other in *also {
            assert!(member.dependencies.contains(*other), "{name} does not know {other} ({purpose})");
        }
    }
    for (name, _) in ROOMS {
        assert!(workspace.member(name).is_some(), "ROOMS lists {name}, which is no crate");
    }
}

/// The packages that a crate is built with.
fn built_with(package: &str, more: &[&str]) -> BTreeSet<String> {
    let args =
        ["tree", "-p", package, "-e", "normal,build", "--offline", "--prefix", "none", "--format", "{p}"];
    let tree = output(Command::new(cargo()).current_dir(root()).args(args).args(more));
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let packages: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(packages.contains(package), "no tree:\n{tree}");
    packages
}

#[test]
fn a_lean_build_of_what_knows_more_knows_engine_only() {
    let workspace = Workspace::read();
    for (name, ..) in ALSO_KNOW {
        let built = built_with(name, &["--no-default-features"]);
        let known: Vec<_> = built.iter().filter(|other| workspace.member(other).is_some()).collect();
        assert_eq!(known, ["engine", *name], "{name} --no-default-features");
    }
}

#[test]
fn engine_builds_without_network_async_or_json() {
    let packages = built_with("engine", &[]);
    for name in NOT_IN_ENGINE.split_whitespace() {
        assert!(
            !packages.contains(name),
            "engine builds {name}: see cargo tree -p engine -e normal -i {name}"
        );
    }
}

#[test]
fn the_top_level_holds_what_is_agreed() {
    let tracked = output(Command::new("git").current_dir(root()).args(["ls-files", "-z"]));
    let top: BTreeSet<_> = tracked.split('\0').filter_map(|path| path.split('/').next()).collect();
    for entry in top.into_iter().filter(|entry| !entry.is_empty()) {
        assert!(listed(TOP_LEVEL, entry), "{entry} at the top level is not in TOP_LEVEL");
    }
}

#[test]
fn each_chosen_package_has_its_use_or_the_work_that_brings_it() {
    let workspace = Workspace::read();
    for package in CHOSEN.split_whitespace() {
        let used = USES.iter().any(|(name, ..)| *name == package);
        let awaited = AWAITED.iter().any(|(name, _)| *name == package);
        assert!(used != awaited, "{package} belongs into USES or AWAITED, one of them");
        for member in workspace.members.iter().filter(|member| member.dependencies.contains(package)) {
            let row = USES.iter().any(|(name, user, ..)| *name == package && *user == member.name);
            assert!(row, "{} depends on {package}: say in USES what for", member.name);
        }
    }
    for (package, user, says, purpose) in USES {
        assert!(listed(CHOSEN, package), "USES lists {package}, which is not in CHOSEN");
        let member = workspace.member(user).unwrap_or_else(|| panic!("USES lists {user}, which is no crate"));
        assert!(member.dependencies.contains(*package), "{user} does not depend on {package} ({purpose})");
        assert!(
            member.says(says),
            "no source of {user} says {says:?}: {package} has lost its use ({purpose})"
        );
    }
    for (package, work) in AWAITED {
        assert!(listed(CHOSEN, package), "AWAITED lists {package} ({work}), which is not in CHOSEN");
    }
}

#[test]
fn every_crate_stands_behind_the_lint_wall_and_the_hot_ones_behind_a_second() {
    for member in &Workspace::read().members {
        let manifest: toml::Table = read(&member.folder.join("Cargo.toml")).parse().unwrap();
        let behind = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(
            behind.and_then(toml::Value::as_bool),
            Some(true),
            "{}: [lints] workspace = true",
            member.name
        );
    }
    let general: toml::Table = read(&root().join("clippy.toml")).parse().unwrap();
    let first: toml::Table = read(&root().join(HOT[0]).join("clippy.toml")).parse().unwrap();
    for (key, value) in &general {
        assert_eq!(first.get(key), Some(value), "{}/clippy.toml hides the root's {key}", HOT[0]);
    }
    for folder in HOT {
        let rules: toml::Table = read(&root().join(folder).join("clippy.toml")).parse().unwrap();
        assert_eq!(rules, first, "the clippy.toml of {folder} and {} differ", HOT[0]);
        let lib = read(&root().join(folder).join("src/lib.rs"));
        for attribute in [
            "#![deny(clippy::float_arithmetic)]",
            "#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]",
        ] {
            assert!(lib.contains(attribute), "{folder}/src/lib.rs lacks {attribute}");
        }
    }
}

/// The crates of this repository, as cargo sees them.
struct Workspace {
    members: Vec<Member>,
}

struct Member {
    name: String,
    folder: PathBuf,
    /// Of any kind: normal, for tests, for build scripts.
    dependencies: BTreeSet<String>,
}

impl Workspace {
    fn read() -> Self {
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
        let text = output(Command::new(cargo()).current_dir(root()).args(arguments));
        let metadata: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        let member = |package: &Value| Member {
            name: package["name"].as_str().unwrap().to_owned(),
            folder: Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned(),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect(),
        };
        Self { members: metadata["packages"].as_array().unwrap().iter().map(member).collect() }
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

impl Member {
    /// Whether a line of code, no comment, contains `text`.
    fn says(&self, text: &str) -> bool {
        let folders = ["src", "benches"].map(|part| self.folder.join(part));
        folders.iter().flat_map(|folder| sources(folder)).any(|path| {
            read(&path).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(text))
        })
    }
}

fn listed(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|listed| listed == word)
}

/// The Rust files under `folder`, none if there is no such folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
