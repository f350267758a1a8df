//! Plans over small recipes.

use std::collections::BTreeSet;

use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Concrete, Facts, Lock, Recipe, Target, TargetName, evaluate};

use super::{InstallError, Plan, PlanError, Provider, installable, plan};
use crate::distribution::Distribution;

const PROFILE: &str = include_str!("../../../../specs/targets/openeuler-22.03/target.yaml");

/// What the distribution of these tests is known to have.
const LOCK: &str = "
known:
  - from: a list
    repository: OS
    packages:
      - { name: systemd, evr: '249', provides: [init] }
      - { name: busybox, provides: [init] }
      - { name: libfabric, evr: 1.20.0 }
      - { name: libfabric-devel, evr: 1.20.0, source: libfabric }
      - { name: libpmem, below: '2.0', source: nvml }
      - { name: shadow }
  - from: another list
    absent: [ucx]
";

fn target() -> Target {
    let profile = Profile::parse(Page { file: "target.yaml", text: PROFILE }).expect("a profile");
    let name = TargetName::parse("openeuler-22.03-x86_64").expect("a name");
    let lock = Lock::parse(Page { file: "lock.yaml", text: LOCK }).expect("a lock");
    Target::new(&name, profile).expect("its architecture").with_lock(lock)
}

/// A recipe of one release, with further keys and packages.
fn recipe(name: &str, version: &str, keys: &str, packages: &str) -> String {
    let hash = "0".repeat(64);
    format!(
        "name: {name}\nversion: '{version}'\nrelease: 1\nsummary: s\nlicense: MIT\nmaintainer: M <m@m.invalid>\ndescription: d\nsource:\n  \
         released: 2026-01-02\n  archives: [{{ url: 'file:///x.tar.gz', sha256: '{hash}' }}]\nmake: {{}}\n{keys}\npackages:\n{packages}\n"
    )
}

fn evaluated(texts: &[String]) -> Vec<Concrete> {
    let page = |text| Page { file: "recipe.yaml", text };
    let recipes: Vec<Recipe> = texts.iter().map(|text| Recipe::parse(page(text)).expect("a recipe")).collect();
    let packages = recipes.iter().flat_map(|recipe| &recipe.packages);
    let built: BTreeSet<String> =
        packages.flat_map(|(name, package)| package.provides.iter().chain([name])).cloned().collect();
    let facts = Facts { built, ..Facts::default() };
    let all = recipes.iter().zip(texts);
    all.map(|(recipe, text)| evaluate(recipe, page(text), &target(), &facts).expect("no finding")).collect()
}

fn planned(texts: &[String], wanted: &[&str]) -> Result<Plan, PlanError> {
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    plan(&evaluated(texts), &wanted, &Distribution::new(&target()))
}

fn fault(texts: &[String]) -> String {
    planned(texts, &[]).expect_err("no plan").to_string()
}

/// Recipes by wave.
fn waves(plan: &Plan) -> Vec<Vec<&str>> {
    plan.waves.iter().map(|wave| wave.iter().map(|step| step.recipe.as_str()).collect()).collect()
}

#[test]
fn what_is_needed_is_built_before_or_is_there() {
    let texts = [
        recipe("mercury", "2.4", "libraries: [na-devel]", "  mercury: { requires: [na-libs, systemd >= 200] }"),
        recipe("na", "1.0", "", "  na: { provides: [na-libs] }\n  na-devel: { requires: [na] }"),
        recipe("other", "1.0", "", "  other: {}"),
    ];
    let plan = planned(&texts, &["mercury"]).expect("a plan");
    assert_eq!(waves(&plan), [["na"], ["mercury"]]);
    assert_eq!(plan.distribution, "openEuler 22.03 LTS");
    let (wave, step) = plan.step("mercury").expect("it");
    assert_eq!((wave, step.why.as_str(), &step.links), (2, "`mercury` was asked for", &vec!["na".to_owned()]));
    assert!(plan.step("na").expect("it").1.why.contains("`mercury` "));
    assert_eq!(
        (&step.needs[0].provider, &step.needs[1].provider),
        (
            &Provider::Recipe { recipe: "na".into(), package: "na".into() },
            &Provider::Distribution { package: "systemd".into(), capability: "systemd = 249".into() }
        )
    );
    let provided = plan.provided.iter().map(|provided| provided.described.as_str()).collect::<Vec<_>>();
    assert_eq!(provided, ["systemd 249 (OS)"]);
    assert_eq!(plan.provided[0].why, "`mercury` requires `systemd >= 200`");
    assert_eq!(waves(&planned(&texts, &[]).expect("a plan")), [vec!["na", "other"], vec!["mercury"]]);
    let text = planned(&texts, &["mercuri"]).expect_err("unknown").to_string();
    assert!(text.contains("no recipe or package is called `mercuri`\nhint: write `mercury`"), "{text}");
    let text = planned(&texts, &["gcc"]).expect_err("unknown").to_string();
    assert!(text.contains("no recipe or package is called `gcc`\nhint: one of mercury, na, "), "{text}");
}

#[test]
fn a_recipe_is_found_by_its_name_and_by_what_its_makers_call_it() {
    let texts = [
        recipe("pmdk", "1.13.1", "", "  libpmem: {}"),
        // A name that is somebody's own is not another's because he provides it.
        recipe("daos-dpdk", "22.11", "project: dpdk", "  daos-dpdk: {}\n  dpdk-tools: { provides: [pmdk, dpdk-daos] }"),
    ];
    let names = ["daos-dpdk", "dpdk", "dpdk-tools", "dpdk-daos"].map(|name| (name, "daos-dpdk"));
    for (asked, found) in [("pmdk", "pmdk"), ("libpmem", "pmdk")].into_iter().chain(names) {
        let plan = planned(&texts, &[asked]).expect("a plan");
        assert_eq!(waves(&plan), [[found]]);
        assert_eq!(plan.step(asked).expect("it").1.recipe, found);
    }
    let text = planned(&texts, &["dpdkk"]).expect_err("unknown").to_string();
    assert!(text.ends_with("hint: write `dpdk`"), "{text}");
}

#[test]
fn a_person_installs_what_was_asked_for() {
    let texts = [
        recipe("na", "1.0", "", "  na: {}\n  na-tools: {}\n  na-devel: { requires: [na], provides: [na-dev] }"),
        recipe("headers", "1.0", "", "  headers-devel: {}"),
        recipe(
            "store",
            "2.4",
            "libraries: [na-devel, headers-devel]\nproject: big",
            "  store: {}\n  server: {}\n  store-devel: {}",
        ),
    ];
    for (asked, installed) in [
        (&[][..], &["server", "store"][..]),
        (&["na"], &["na", "na-tools"]),
        (&["server", "na-devel"], &["na-devel", "server"]),
        (&["store", "server"], &["server", "store"]),
        (&["na-dev"], &["na-dev"]),
        (&["headers"], &["headers-devel"]),
        (&["big", "na-tools"], &["na-tools", "server", "store"]),
    ] {
        let words: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let plan = planned(&texts, asked).expect("a plan");
        let found: BTreeSet<&str> = plan.to_install(&words).into_iter().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), *installed, "{asked:?}");
    }
}

#[test]
fn a_package_of_the_distribution_stands_in_when_it_is_enough() {
    let libfabric = |oldest: &str| {
        let keys = format!("instead: [{{ package: libfabric, at-least: '{oldest}' }}]");
        recipe("libfabric", "2.1.0", &keys, "  libfabric: {}\n  libfabric-devel: { requires: [libfabric] }")
    };
    let user = recipe("user", "1", "", "  user: { requires: [libfabric >= 1.15] }");
    let plan = planned(&[libfabric("1.20"), user.clone()], &[]).expect("a plan");
    assert_eq!(waves(&plan), [["user"]]);
    assert_eq!(plan.provided[0].stands_in_for, ["libfabric"]);
    assert_eq!(plan.provided[0].why, "openEuler 22.03 LTS has libfabric 1.20.0 (OS), which is enough: at least 1.20");
    let need = &plan.step("user").expect("it").1.needs[0];
    let choice = need.choice.as_ref().expect("two could");
    assert_eq!(choice.instead_of, ["libfabric 2.1.0-1.oe2203 of the recipe `libfabric`"]);
    assert_eq!(choice.why, plan.provided[0].why);

    // Who names it gets it; who links against it needs it; who asks for more than is there too.
    let plan = planned(&[libfabric("1.20")], &["libfabric"]).expect("a plan");
    assert_eq!(
        plan.step("libfabric").expect("it").1.not_instead,
        [
            "openEuler 22.03 LTS has libfabric 1.20.0 (OS), which is enough: at least 1.20, but `libfabric` was asked for"
        ]
    );
    let linking = recipe("mercury", "2", "libraries: [libfabric-devel]", "  mercury: { requires: [libfabric] }");
    let plan = planned(&[libfabric("1.20"), linking], &[]).expect("a plan");
    assert_eq!(waves(&plan), [["libfabric"], ["mercury"]]);
    assert!(plan.provided.is_empty());
    assert_eq!(
        plan.step("libfabric").expect("it").1.not_instead,
        [
            "openEuler 22.03 LTS's libfabric 1.20.0 (OS) would be enough on a host, but a cross build sees packages of recipes only"
        ]
    );
    let newer = recipe("newer", "2", "", "  newer: { requires: [libfabric >= 2] }");
    let plan = planned(&[libfabric("1.20"), newer], &[]).expect("a plan");
    assert_eq!(waves(&plan), [["libfabric"], ["newer"]]);
    assert_eq!(
        plan.step("libfabric").expect("it").1.not_instead,
        ["openEuler 22.03 LTS's libfabric 1.20.0 (OS) does not answer that"]
    );
}

#[test]
fn what_is_not_built_is_said_with_the_reason() {
    let on_request = |name: &str, version: &str, keys: &str| {
        recipe(
            name,
            version,
            &format!("on-request: it is rare\n{keys}"),
            &format!("  {name}: {{}}\n  {name}-devel: {{}}"),
        )
    };
    let texts = [
        on_request("libfabric", "2.1.0", "instead: [{ package: libfabric, at-least: '1.20' }]"),
        on_request("ucx", "1.13", "project: ucx-project\ninstead: [{ package: ucx }]"),
        recipe("app", "1", "", "  app: { provides: [application] }"),
        recipe("user", "1", "", "  user: { requires: [libfabric] }"),
    ];
    let left = |plan: &Plan| -> Vec<String> {
        plan.left
            .iter()
            .map(|left| format!("{} {}: {}; {}", left.recipe, left.evr, left.why, left.instead.join("; ")))
            .collect()
    };
    let rare = "it is built on request only: it is rare";
    let absent = format!("ucx 1.13-1.oe2203: {rare}; openEuler 22.03 LTS has no `ucx` (another list)");
    let enough = "openEuler 22.03 LTS has libfabric 1.20.0 (OS), which is enough: at least 1.20";
    // Nobody looks for the distribution's libfabric here.
    let plan = planned(&texts, &["app"]).expect("a plan");
    let idle = "user 1-1.oe2203: nothing that was asked for needs it; ".to_owned();
    assert_eq!(left(&plan), [format!("libfabric 2.1.0-1.oe2203: {rare}; {enough}"), absent.clone(), idle]);
    assert!(plan.provided.is_empty());
    // Here `user` does, so it takes the recipe's place.
    let plan = planned(&texts, &[]).expect("a plan");
    assert_eq!(left(&plan), [absent]);
    assert_eq!(plan.provided[0].stands_in_for, ["libfabric"]);
    for name in ["ucx", "ucx-devel", "ucx-project"] {
        assert_eq!(plan.left(name).expect("it").recipe, "ucx", "{name}");
    }
    assert!(plan.left("app").is_none());
}

#[test]
fn why_none_stands_in_is_said() {
    let keys = "instead: [{ package: nvml, at-least: '2.1' }, { package: libpmem, at-least: '1.5' }, { package: shadow, at-least: '4' }, \
                { package: ucx }, { package: unheard }, { package: libfabric, at-least: '1.21' }, { package: unseen }, \
                { package: systemd, never: it is another thing }]";
    let plan = planned(&[recipe("pmdk", "2.1.0", keys, "  pmdk: {}")], &[]).expect("a plan");
    assert_eq!(
        plan.step("pmdk").expect("it").1.not_instead,
        [
            "openEuler 22.03 LTS's libpmem below 2.0 (of nvml, OS) is older than 2.1",
            "openEuler 22.03 LTS has libpmem below 2.0 (of nvml, OS); whether it is at least 1.5 is not known",
            "openEuler 22.03 LTS has shadow (OS), of a version that is not known; it would have to be at least 4",
            "openEuler 22.03 LTS has no `ucx` (another list)",
            "openEuler 22.03 LTS's libfabric 1.20.0 (OS) is older than 1.21",
            "openEuler 22.03 LTS's systemd 249 (OS) does not do: it is another thing",
            "nothing is known of `unheard` or `unseen` in openEuler 22.03 LTS; `packager targets sync` asks its repositories",
        ]
    );
}

#[test]
fn circles_are_named() {
    let texts = [
        recipe("a", "1", "libraries: [b-devel]", "  a: {}"),
        recipe("b", "1", "", "  b: { requires: [c-tool] }\n  b-devel: {}"),
        recipe("c", "1", "libraries: [b-devel]", "  c: { provides: [c-tool] }"),
        recipe("d", "1", "", "  d: {}"),
    ];
    assert_eq!(
        fault(&texts),
        "recipes need each other: `b` of `b` requires `c-tool` of `c`; `c` links against `b-devel` of `b`\n\
         hint: leave out one of these dependencies, or make a recipe of its own of what both need"
    );
}

#[test]
fn what_cannot_be_had_is_named_with_what_there_is() {
    let needing = |requirement: &str| recipe("app", "1", "", &format!("  app: {{ requires: ['{requirement}'] }}"));
    let lib = recipe("lib", "3.2", "", "  lib: { provides: [lib-api] }");
    for (requirement, expected) in [
        (
            "nowhere",
            "`app` requires `nowhere`, which neither openEuler 22.03 LTS nor a recipe is known to provide\nhint: correct the requirement; ",
        ),
        ("ucx", "is known to provide: `ucx` is absent (another list)\nhint: write a recipe for `ucx`"),
        (
            "lib >= 4",
            "is known to provide: the recipe `lib` builds lib 3.2-1.oe2203\nhint: ask for a version that is there",
        ),
        ("lib-api >= 4", "is known to provide: lib 3.2-1.oe2203 of the recipe `lib` provides `lib-api = 3.2-1.oe2203`"),
        ("libfabric >= 2", "is known to provide: openEuler 22.03 LTS has libfabric 1.20.0 (OS)"),
        ("shadow >= 2", "openEuler 22.03 LTS has shadow (OS)"),
        (
            "(lib and (ucx or nowhere))",
            "cannot be met: neither openEuler 22.03 LTS nor a recipe is known to provide `ucx` or `nowhere`: ",
        ),
        (
            "(lib or",
            "`app` requires `(lib or`, which is no dependency: `(lib or`, column 8: expected a capability, found the end\nhint: correct",
        ),
        ("lib => 3", "column 5: expected one of `<`, `<=`, `=`, `>=`, `>`"),
    ] {
        let text = fault(&[needing(requirement), lib.clone()]);
        assert!(text.contains(expected), "`{expected}` is not in:\n{text}");
    }
}

#[test]
fn rich_requirements_are_answered_part_by_part() {
    let texts = [recipe(
        "mercury",
        "2",
        "",
        "  mercury: { requires: ['(mercury-ucx or mercury-ofi)', '(systemd >= 200 if init)', '(nowhere if nobody)'] }\n  mercury-ofi: {}",
    )];
    let plan = planned(&texts, &[]).expect("a plan");
    let needs: Vec<(&str, Option<&str>)> =
        plan.waves[0][0].needs.iter().map(|need| (need.requirement.as_str(), need.rich.as_deref())).collect();
    assert_eq!(
        needs,
        [("mercury-ofi", Some("(mercury-ucx or mercury-ofi)")), ("systemd >= 200", Some("(systemd >= 200 if init)"))]
    );
}

#[test]
fn of_several_providers_one_is_taken_and_told() {
    let texts = [
        recipe("app", "1", "", "  app: { requires: [init, mpi, libfabric] }"),
        recipe("mpich", "4", "", "  mpich: { provides: [mpi] }"),
        recipe("openmpi", "5", "", "  openmpi: { provides: [mpi] }"),
        recipe("libfabric", "2.1.0", "", "  libfabric: {}"),
    ];
    let plan = planned(&texts, &["app"]).expect("a plan");
    let told = |requirement: &str| {
        let need = plan.step("app").expect("it").1.needs.iter().find(|need| need.requirement == requirement);
        let need = need.expect("the need");
        let choice = need.choice.as_ref().expect("several");
        let package = match &need.provider {
            Provider::Recipe { package, .. } | Provider::Distribution { package, .. } => package,
        };
        format!("{package}, not {}: {}", choice.instead_of.join(", "), choice.why)
    };
    assert_eq!(
        told("init"),
        "systemd, not busybox (OS) of openEuler 22.03 LTS: it is the first that the lock of the target lists"
    );
    assert_eq!(
        told("mpi"),
        "mpich, not openmpi 5-1.oe2203 of the recipe `openmpi`: packages of recipes go before the distribution's, then by name"
    );
    assert_eq!(
        told("libfabric"),
        "libfabric, not libfabric 1.20.0 (OS) of openEuler 22.03 LTS: `libfabric` is built by a recipe and has the name"
    );
    assert_eq!(waves(&plan), [vec!["libfabric", "mpich"], vec!["app"]]);
}

#[test]
fn what_dnf_could_not_install_is_found_before_it_is_built() {
    let check = |texts: &[String], lock: &str| -> Result<(), InstallError> {
        let recipes = evaluated(texts);
        let lock = Lock::parse(Page { file: "lock.yaml", text: lock }).expect("a lock");
        let target = target().with_lock(lock);
        let plan = plan(&recipes, &[], &Distribution::new(&target)).expect("a plan");
        installable(&plan, &recipes, &target)
    };
    let fabric = recipe("libfabric", "2.1.0", "", "  libfabric: {}\n  libfabric-devel: { requires: [libfabric] }");
    let app = recipe("app", "1", "", "  app: { requires: [libfabric-devel >= 2, libfabric < 2] }");
    let text = check(&[fabric.clone(), app.clone()], LOCK).expect_err("two versions").to_string();
    assert!(text.starts_with("`app` could not be installed on openeuler-22.03-x86_64: this cannot be done:"), "{text}");
    for part in [
        "app-1-1.oe2203.x86_64 requires `libfabric < 2`, which is provided by libfabric-1.20.0.x86_64 (OS)",
        "only one version of `libfabric` can be installed: libfabric-2.1.0-1.oe2203.x86_64 (to be built) or libfabric-1.20.0.x86_64 (OS)",
        "\nhint: ",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let conflicting = LOCK.replace("{ name: shadow }", "{ name: shadow, conflicts: [libfabric >= 2] }");
    let user = recipe("user", "1", "", "  user: { requires: [shadow, libfabric >= 2] }");
    let text = check(&[fabric.clone(), user.clone()], &conflicting).expect_err("a conflict").to_string();
    assert!(text.contains("shadow-0.x86_64 conflicts with `libfabric >= 2`"), "{text}");
    // No alarm without a reason: versions that nobody knows, and packages whose own requirements the lock does not hold.
    assert_eq!(check(&[fabric, user], LOCK), Ok(()));
    let careful =
        recipe("careful", "1", "", "  careful: { requires: [libpmem, systemd < 300, '(libpmem if shadow)'] }");
    assert_eq!(check(&[careful], LOCK), Ok(()));
}
