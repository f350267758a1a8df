//! The lines of `%build` and `%install` for each way of building. They hold on the distribution as they do here: what is
//! different in a cross build is in macros and in the environment.

use std::collections::BTreeMap;

use crate::written::{Autotools, Cmake, Make, Meson, Method, Recipe, Value};

/// Options that meson itself has and the distributions' `%meson` gives in this form; the other form beside it is an error.
const MESON_OWN: [&str; 12] = [
    "bindir",
    "buildtype",
    "datadir",
    "default_library",
    "includedir",
    "libdir",
    "libexecdir",
    "localstatedir",
    "mandir",
    "prefix",
    "sbindir",
    "sysconfdir",
];

/// Lines of `%build`. `arguments` are those of the options.
pub(crate) fn build(recipe: &Recipe, arguments: &[String]) -> Vec<String> {
    let mut lines = flags(&recipe.flags);
    match recipe.method() {
        Method::Cargo(_) => {}
        Method::Autotools(autotools) => autotools_lines(autotools, arguments, &mut lines),
        Method::Make(make) => make_lines(make, arguments, &mut lines),
        Method::Meson(meson) => {
            lines.push(line("%meson", meson_arguments(meson).iter().chain(arguments)));
            lines.push("%meson_build".to_owned());
        }
        Method::Cmake(cmake) => {
            lines.push(line("%cmake", cmake_arguments(cmake).iter().chain(arguments)));
            lines.push("%cmake_build".to_owned());
        }
    }
    lines
}

/// Lines of `%install` that fill the build root.
pub(crate) fn install(recipe: &Recipe, arguments: &[String]) -> Vec<String> {
    let mut lines = match recipe.method() {
        Method::Cargo(_) => return Vec::new(),
        Method::Autotools(_) => vec!["%make_install".to_owned()],
        Method::Make(Make { no_install: true, .. }) => Vec::new(),
        Method::Make(make) => {
            let options: &[String] = if make.configure.is_some() { &[] } else { arguments };
            vec![line("%make_install", make.build.iter().chain(&make.install).chain(options))]
        }
        Method::Meson(_) => vec!["%meson_install".to_owned()],
        Method::Cmake(_) => vec!["%cmake_install".to_owned()],
    };
    // libtool's own files name folders of the build and help nobody on a system.
    lines.push("find %{buildroot} -name '*.la' -delete".to_owned());
    lines.extend(recipe.discard.iter().map(|path| format!("rm -rf %{{buildroot}}{path}")));
    lines
}

/// Adds flags to those of the distribution, or of whoever sets them.
fn flags(flags: &[String]) -> Vec<String> {
    if flags.is_empty() {
        return Vec::new();
    }
    let flags = flags.join(" ");
    let mut lines = vec!["%{?set_build_flags}".to_owned()];
    lines.extend(["CFLAGS", "CXXFLAGS"].map(|name| format!("export {name}=\"${{{name}:-%{{optflags}}}} {flags}\"")));
    lines
}

fn autotools_lines(autotools: &Autotools, arguments: &[String], lines: &mut Vec<String>) {
    lines.extend(autotools.bootstrap.clone());
    lines.push(line("%configure", autotools.configure.iter().chain(arguments)));
    // libtool would write a run path for folders that the loader searches anyway.
    lines.push(r#"[ ! -f libtool ] || sed -i -e 's|^hardcode_libdir_flag_spec=.*|hardcode_libdir_flag_spec=""|' -e 's|^runpath_var=.*|runpath_var=NO_RUN_PATH|' libtool"#.to_owned());
    lines.push("%make_build".to_owned());
}

fn make_lines(make: &Make, arguments: &[String], lines: &mut Vec<String>) {
    if lines.is_empty() {
        lines.push("%{?set_build_flags}".to_owned());
    }
    match &make.configure {
        Some(configure) => {
            lines.push(line("./configure", configure.iter().chain(arguments)));
            lines.push(line("%make_build", make.build.iter()));
        }
        None => lines.push(line("%make_build", make.build.iter().chain(arguments))),
    }
}

fn meson_arguments(meson: &Meson) -> Vec<String> {
    named(&meson.options, |name, value| {
        let value = match value {
            Value::Switch(on) => on.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::List(words) => words.join(","),
        };
        if MESON_OWN.contains(&name) {
            format!("--{}={value}", name.replace('_', "-"))
        } else {
            format!("-D{name}={value}")
        }
    })
}

fn cmake_arguments(cmake: &Cmake) -> Vec<String> {
    named(&cmake.variables, |name, value| match value {
        Value::Switch(on) => format!("-D{name}:BOOL={}", if *on { "ON" } else { "OFF" }),
        Value::Number(number) => format!("-D{name}:STRING={number}"),
        Value::Text(text) => format!("-D{name}:STRING={text}"),
        Value::List(words) => format!("-D{name}:STRING={}", words.join(";")),
    })
}

fn named(values: &BTreeMap<String, Value>, written: impl Fn(&str, &Value) -> String) -> Vec<String> {
    values.iter().map(|(name, value)| quoted(&written(name, value))).collect()
}

/// A word for the shell; macros of rpm are expanded before it sees it.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_=./:,+@%{}".contains(character);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn line<'a>(command: &'a str, arguments: impl Iterator<Item = &'a String>) -> String {
    std::iter::once(command).chain(arguments.map(String::as_str)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{build, install};
    use crate::diagnostic::Page;
    use crate::written::Recipe;

    fn recipe(method: &str) -> Recipe {
        let text = format!(
            "name: x\nversion: \"1\"\nrelease: 1\nsummary: X\nlicense: MIT\nmaintainer: M <m@m.invalid>\ndescription: X\nsource:\n  released: 2026-01-02\n  archives:\n    - url: http://x.invalid/x.tar.gz\n      sha256: {}\npackages: {{ x: {{}} }}\n{method}",
            "0".repeat(64)
        );
        Recipe::parse(Page { file: "recipe.yaml", text: &text }).expect("a good recipe")
    }

    #[test]
    fn values_are_written_as_each_program_wants_them() {
        let meson = recipe(
            "meson:\n  options: { libdir: '%{_libdir}/x', default_library: shared, tests: false, max: 64, drivers: [a, b], words: 'two words' }\n",
        );
        assert_eq!(
            build(&meson, &["-Dz=1".to_owned()]),
            [
                "%meson --default-library=shared -Ddrivers=a,b --libdir=%{_libdir}/x -Dmax=64 -Dtests=false '-Dwords=two words' -Dz=1",
                "%meson_build"
            ]
        );
        let cmake = recipe("cmake:\n  variables: { A: true, B: [p, q], C: 3 }\n");
        assert_eq!(build(&cmake, &[])[0], "%cmake -DA:BOOL=ON '-DB:STRING=p;q' -DC:STRING=3");
        assert_eq!(install(&cmake, &[])[0], "%cmake_install");
    }

    #[test]
    fn flags_are_added_to_what_is_set() {
        let lines = build(&recipe("make: {}\nflags: [-Wno-error, -fcommon]\n"), &[]);
        assert_eq!(
            lines,
            [
                "%{?set_build_flags}",
                "export CFLAGS=\"${CFLAGS:-%{optflags}} -Wno-error -fcommon\"",
                "export CXXFLAGS=\"${CXXFLAGS:-%{optflags}} -Wno-error -fcommon\"",
                "%make_build"
            ]
        );
    }

    #[test]
    fn options_go_to_configure_where_there_is_one() {
        let make = recipe(
            "make: { configure: [--prefix=/usr], build: [V=1], install: [prefix=/usr] }\ndiscard: [/usr/bin/x]\n",
        );
        let options = ["--with-a".to_owned()];
        assert_eq!(build(&make, &options)[1..], ["./configure --prefix=/usr --with-a", "%make_build V=1"]);
        assert_eq!(
            install(&make, &options),
            [
                "%make_install V=1 prefix=/usr",
                "find %{buildroot} -name '*.la' -delete",
                "rm -rf %{buildroot}/usr/bin/x"
            ]
        );
        let plain = recipe("make: {}\n");
        assert_eq!(install(&plain, &options)[0], "%make_install --with-a");
        assert!(install(&recipe("make: { no-install: true }\n"), &[])[0].starts_with("find"));
    }
}
