//! No function that takes foreign bytes is forgotten: the sources are searched for public functions that take
//! bytes, text, a path or a reader, and each must be in a target's list or among the exempt, with a reason.

use fuzz::{EXEMPT, TARGETS};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Crate, and where its sources lie.
const CRATES: &[(&str, &str)] = &[
    ("engine", "engine/src"),
    ("wire", "engine/wire/src"),
    ("feeds", "feeds/src"),
    ("strategies", "strategies/src"),
    ("gateway", "gateway/src"),
    ("sabrewing", "tools/sabrewing/src"),
    ("journal", "tools/journal/src"),
    ("sim", "tools/sim/src"),
    ("venue_sim", "tools/venue-sim/src"),
];

/// Types of parameters that foreign bytes come in.
const FOREIGN: &[&str] =
    &["[u8]", "[u8;", "str", "Path", "PathBuf", "Vec<u8>", "String", "Read", "BufRead", "File", "OsStr"];

#[test]
fn every_public_function_that_takes_bytes_text_or_a_path_has_a_target_or_a_reason() {
    let listed: BTreeSet<&str> = TARGETS.iter().flat_map(|target| target.parses).copied().collect();
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> =
        found().into_iter().filter(|name| !listed.contains(&**name) && !exempt.contains(&**name)).collect();
    assert!(missing.is_empty(), "in no target and not exempt:\n{}", missing.join("\n"));
}

#[test]
fn what_is_listed_or_exempt_exists_and_nothing_is_both() {
    let functions = all();
    let listed: Vec<&str> = TARGETS.iter().flat_map(|target| target.parses).copied().collect();
    for name in &listed {
        assert!(functions.contains(*name), "a target lists {name}, which does not exist");
    }
    for (name, reason) in EXEMPT {
        assert!(functions.contains(*name), "EXEMPT lists {name}, which does not exist");
        assert!(!listed.contains(name), "{name} is exempt ({reason}), and has a target");
        assert!(reason.len() > 10, "{name}: {reason}");
    }
}

#[test]
fn the_search_sees_free_functions_methods_and_trait_methods_over_several_lines() {
    let source = "
pub fn free(text: &str) -> u8 { 0 }
fn hidden(text: &str) {}
pub(crate) fn inside(text: &[u8]) {}
impl<R: Read> Thing<R> {
    pub fn method(
        &mut self,
        bytes: &'a [u8],
    ) -> u8 { 0 }
    pub fn number(&self, at: usize) {}
    fn own(&self, text: &str) {}
}
pub trait Codec {
    fn decode(&mut self, frame: &[u8]);
}
impl Codec for Thing<u8> {
    fn decode(&mut self, frame: &[u8]) {}
}
impl Error for Thing<u8> {}
pub fn generic(path: impl AsRef<Path>) {}
#[cfg(test)]
mod tests {
pub fn test_only(text: &str) {}
}
";
    let names: Vec<_> = functions_of(source, "c::m").into_iter().filter(Function::is_foreign).collect();
    let names: Vec<_> = names.iter().map(|function| function.name.as_str()).collect();
    let expected =
        ["c::m::free", "c::m::Thing::method", "c::m::Codec::decode", "c::m::Thing::decode", "c::m::generic"];
    assert_eq!(names, expected);
}

struct Function {
    name: String,
    parameters: String,
}

impl Function {
    fn is_foreign(&self) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        FOREIGN.iter().any(|kind| {
            self.parameters.match_indices(kind).any(|(at, _)| {
                let before = self.parameters[..at].chars().next_back();
                let after = self.parameters[at + kind.len()..].chars().next();
                let whole = kind.starts_with('[') || !before.is_some_and(is_part);
                whole && (!kind.ends_with(is_part) || !after.is_some_and(is_part))
            })
        })
    }
}

fn found() -> BTreeSet<String> {
    everything().into_iter().filter(Function::is_foreign).map(|function| function.name).collect()
}

fn all() -> BTreeSet<String> {
    everything().into_iter().map(|function| function.name).collect()
}

fn everything() -> Vec<Function> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut functions = Vec::new();
    for (name, folder) in CRATES {
        let folder = root.join(folder);
        for file in sources(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            let inner = file.strip_prefix(&folder).unwrap().with_extension("");
            let parts = inner.iter().map(|part| part.to_str().unwrap());
            let parts = parts.filter(|part| !matches!(*part, "lib" | "main" | "mod"));
            let module = std::iter::once(*name).chain(parts).collect::<Vec<_>>().join("::");
            functions.extend(functions_of(&text, &module));
        }
    }
    assert!(functions.len() > 300, "the sources are not where they were: {} functions", functions.len());
    functions
}

/// Public functions, and methods of traits, of one file; tests excluded. Goes by the way `rustfmt` lays out
/// items: those of a module begin a line, those of an `impl` or `trait` stand four columns in.
fn functions_of(source: &str, module: &str) -> Vec<Function> {
    let (mut functions, mut owner, mut is_trait) = (Vec::new(), String::new(), false);
    let lines: Vec<&str> = source.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if *line == "mod tests {" || *line == "pub(crate) mod tests {" {
            break;
        }
        if line.starts_with("impl") || line.starts_with("pub trait") {
            // An empty one on a single line has no end of its own.
            (owner, is_trait) = if line.ends_with("{}") { (String::new(), false) } else { owner_of(line) };
        } else if *line == "}" {
            (owner, is_trait) = (String::new(), false);
        }
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let public = words.starts_with("pub ") || (is_trait && indent == 4);
        let Some(at) = words.find("fn ").filter(|at| *at == 0 || words[..*at].ends_with(' ')) else {
            continue;
        };
        if !public || words.starts_with("//") || indent != if owner.is_empty() { 0 } else { 4 } {
            continue;
        }
        let name: String = words[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let whole = lines[index..].iter().take(12).copied().collect::<Vec<_>>().join(" ");
        let end = whole.find(['{', ';']).unwrap_or(whole.len());
        let parameters = whole[..end].split("->").next().unwrap_or_default();
        let parameters = parameters.find('(').map_or("", |open| &parameters[open..]).to_owned();
        let place = if owner.is_empty() { module.to_owned() } else { format!("{module}::{owner}") };
        functions.push(Function { name: format!("{place}::{name}"), parameters });
    }
    functions
}

/// The type or trait of an `impl` or `trait` line, and whether its functions are public without saying so.
fn owner_of(line: &str) -> (String, bool) {
    let declared = line.strip_prefix("pub trait ");
    let body = line.trim_start_matches("impl");
    let body = if body.starts_with('<') { after_generics(body) } else { body };
    let (body, of_trait) = match body.split_once(" for ") {
        Some((_, implementor)) => (implementor, true),
        None => (declared.unwrap_or(body), declared.is_some()),
    };
    let name = body.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (name, of_trait)
}

/// What follows the angle brackets that a text begins with.
fn after_generics(text: &str) -> &str {
    let mut depth = 0;
    let end = text.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '<') - i32::from(*c == '>');
        depth == 0
    });
    end.map_or(text, |(at, _)| &text[at + 1..])
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}
