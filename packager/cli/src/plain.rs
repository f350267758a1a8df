//! Operations that build nothing: targets, spec.

use anyhow::Result;
use packager_resolve::Distribution;
use serde_json::json;

use crate::arguments::Which;
use crate::given::Given;
use crate::places::Places;
use crate::planned;
use crate::report::{Report, table};
use crate::world::{self, Ready};

/// `targets list`.
pub(crate) fn targets(places: &Places) -> Result<Report> {
    let mut rows = vec![["TARGET", "TITLE", "DIST", "GLIBC", "RPM"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for name in world::target_names(places)? {
        let target = world::target(places, &name)?;
        let profile = &target.profile;
        rows.push(vec![name, profile.title.clone(), profile.dist.clone(), profile.glibc.clone(), profile.rpm.clone()]);
        values.push(serde_json::to_value(&target)?);
    }
    Ok(Report::new(table(&rows), json!(values)))
}

/// `targets show`.
pub(crate) fn target(places: &Places, name: &str) -> Result<Report> {
    let target = world::target(places, name)?;
    let profile = &target.profile;
    let rows = [
        ("target", target.name.as_str()),
        ("title", &profile.title),
        ("vendor", &profile.vendor),
        ("dist tag", &profile.dist),
        ("glibc floor", &profile.glibc),
        ("GLIBCXX floor", &profile.glibcxx),
        ("CXXABI floor", &profile.cxxabi),
        ("rpm", &profile.rpm),
        ("processor", target.cpu()),
        ("binary payload", &profile.binary_payload),
        ("source payload", &profile.source_payload),
        ("build-id links", &profile.build_id_links),
    ]
    .map(|(name, value)| vec![name.to_owned(), value.to_owned()]);
    let mut text = table(&rows);
    for known in &target.lock.known {
        let (there, absent) = (known.packages_on(target.arch).count(), known.absent.len());
        let repository = known.repository.as_deref().map_or(String::new(), |name| format!("{name}: "));
        text.push_str(&format!("{repository}{there} packages, {absent} absent; known from {}\n", known.from));
        for locked in known.packages_on(target.arch) {
            let version = match (&locked.evr, &locked.below) {
                (Some(evr), _) => format!(" {evr}"),
                (None, Some(below)) => format!(" below {below}"),
                (None, None) => String::new(),
            };
            text.push_str(&format!("  {}{version}\n", locked.name));
        }
        if absent > 0 {
            text.push_str(&format!("  not there: {}\n", known.absent.join(", ")));
        }
    }
    let mut value = serde_json::to_value(&target)?;
    value["capabilities"] = json!(Distribution::new(&target).capabilities());
    Ok(Report::new(text, value))
}

/// `spec`.
pub(crate) fn spec(places: &Places, which: &Which) -> Result<Report> {
    let target = world::target(places, &which.target)?;
    let (plan, ready) = planned::planned(places, &target, &which.packages, &Given::parse(&which.sources, false)?)?;
    // What they need is planned too; that was not asked for.
    let asked: Vec<&str> = which.packages.iter().filter_map(|name| Some(plan.step(name)?.1.recipe.as_str())).collect();
    let is_asked = |ready: &&Ready| which.packages.is_empty() || asked.contains(&ready.recipe.name.as_str());
    let shown: Vec<&Ready> = ready.iter().filter(is_asked).collect();
    let text = shown.iter().map(|ready| ready.spec.as_str()).collect::<Vec<_>>().join("\n");
    let specs: serde_json::Map<_, _> =
        shown.iter().map(|ready| (ready.recipe.name.clone(), json!(ready.spec))).collect();
    Ok(Report::new(text, json!(specs)))
}
