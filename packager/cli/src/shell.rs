//! `shell`: a person in the sandbox of a build.

use anyhow::{Context, Result};
use packager_build::Linked;
use packager_source::shell::quoted;
use serde_json::json;

use crate::arguments::ShellOptions;
use crate::build::{Inputs, Yard, store};
use crate::given::Given;
use crate::places::Places;
use crate::planned;
use crate::progress::Line;
use crate::report::{Report, say};
use crate::waves::filled;
use crate::world;

/// Opens a shell, or runs one command in it, as the build would run it.
pub(crate) fn shell(places: &Places, options: &ShellOptions, json: bool) -> Result<Report> {
    let target = world::target(places, &options.target)?;
    let yard = Yard::new(places, &target, options.offline, None)?;
    let wanted = [options.package.clone()];
    let (plan, mut ready) =
        planned::fetched(places, &target, &wanted, &Given::parse(&options.sources, options.offline)?)?;
    let mut keys = yard.keys(&ready)?;
    let store = store(places);
    let recipe = plan.step(&options.package).map(|(_, step)| step.recipe.as_str());
    let at = ready.iter().position(|ready| Some(ready.recipe.name.as_str()) == recipe);
    let at = at.context("the plan holds no recipe of that package")?;
    let (ready, (inputs, _)) = (ready.swap_remove(at), keys.swap_remove(at));
    let mut linked: Vec<Linked> = Vec::new();
    for needed in &inputs.linked {
        let artifact = store.get(&needed.key).with_context(|| {
            format!(
                "`{}` links against `{}`, which is not built\nhint: run `packager build --target {} {}` first",
                ready.recipe.name, needed.recipe, target.name, needed.recipe
            )
        })?;
        linked.push(filled(needed, &artifact));
    }
    let inputs = Inputs { linked, ..inputs };
    let line = Line::begin(&ready.recipe.nvr());
    let progress = |what: &str| line.step(what);
    let script = script(&options.command);
    let status = yard.job(&ready, &inputs, &progress).shell(script.as_deref(), |command| {
        line.end("sandbox ready");
        if script.is_none() {
            say!("The spec is in /build/SPECS or in the package in /build/SRPMS; `exit` leaves.");
        }
        if json {
            // Our own standard output is for the report.
            command.stdout(std::io::stderr());
        }
        command.status()
    })?;
    let status = status.context("cannot start the sandbox")?;
    let mut report = Report::new(String::new(), json!({ "recipe": ready.recipe.name, "status": status.code() }));
    report.good = status.success();
    report.status = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(report)
}

/// What bash is to run: one word is a script, several are a program and its arguments as they are.
fn script(command: &[String]) -> Option<String> {
    match command {
        [] => None,
        [script] => Some(script.clone()),
        words => Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
    }
}
