//! Sources that the user gives: a recipe without a locked archive, from a small tree in place of the real one; and projects of cmake and
//! meson, from a tree that has the files of both.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::yard::{TARGET, Yard, run, said};

/// What raft's makefile and sources have, as far as the recipe asks for it.
const RAFT: [(&str, &str); 4] = [
    (
        "Makefile",
        "CFLAGS += -Iinclude $(GCOV_CCFLAGS) -fPIC\nstatic: raft.o\n\t$(AR) -rcD libraft.a raft.o\nraft.o: src/raft.c\n\t$(CC) $(CFLAGS) -c -o $@ src/raft.c\n",
    ),
    ("src/raft.c", "#include <raft.h>\nint raft_term(void) { return 7; }\n"),
    ("include/raft.h", "int raft_term(void);\n"),
    ("LICENSE", "Free.\n"),
];

const NUMBER: [(&str, &str); 5] = [
    (
        "number.c",
        "#include <stdlib.h>\nint number(void) { return NUMBER; }\nint other(const char *text) { return atoi(text); }\n",
    ),
    ("number.h", "int number(void);\n"),
    (
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.13)\nproject(number C)\noption(LARGE \"\" OFF)\ninclude(GNUInstallDirs)\nadd_library(number number.c)\n\
         set_target_properties(number PROPERTIES VERSION 1.0 SOVERSION 1)\nif(LARGE)\ntarget_compile_definitions(number PRIVATE NUMBER=1000)\nelse()\n\
         target_compile_definitions(number PRIVATE NUMBER=1)\nendif()\ninstall(TARGETS number)\ninstall(FILES number.h TYPE INCLUDE)\n",
    ),
    (
        "meson.build",
        "project('number', 'c')\nassert(meson.get_external_property('greeting') == 'hello')\nshared_library('number', 'number.c', version: '1.0', \
         soversion: '1', c_args: '-DNUMBER=' + get_option('value').to_string(), install: true)\ninstall_headers('number.h')\n",
    ),
    ("meson_options.txt", "option('value', type: 'integer', value: 1)\n"),
];

fn tree(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    fs::write(folder.join("LICENSE"), "Free.\n").expect("written");
}

fn recipe(yard: &Yard, name: &str, text: &str) {
    let folder = yard.path("root/specs").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("recipe.yaml"), text).expect("written");
}

#[test]
fn a_recipe_without_a_locked_archive_is_built_from_a_folder() {
    let yard = Yard::new();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/raft/recipe.yaml");
    recipe(&yard, "raft", &fs::read_to_string(real).expect("the recipe of raft"));
    tree(&yard.path("raft"), &RAFT);
    let source = format!("raft={}", yard.path("raft").display());

    // Not without being asked for, and not without sources.
    let plan = yard.good(&["plan", "--target", TARGET]);
    assert!(
        plan.contains("1 recipe in 1 wave")
            && plan.contains("└─ not built\n   └─ raft 0.11.0-1.el8\n      ├─ it is built on request only: only DAOS"),
        "{plan}"
    );
    let plan = yard.good(&["plan", "--target", TARGET, "daos-raft-devel"]);
    assert!(plan.contains("sources: no archive is locked: it is built with `--source raft=PATH` only"), "{plan}");
    let text = yard.bad(&["build", "--target", TARGET, "raft-devel"], 1);
    assert!(
        text.contains("no archive of `raft` 0.11.0 is locked") && text.contains("hint: give the sources"),
        "{text}"
    );
    let text = yard.bad(&["plan", "--target", TARGET, "--source", "raf=/x"], 1);
    assert!(text.contains("no recipe `raf`") && text.contains("hint: write `raft`"), "{text}");
    let text = yard.bad(&["plan", "--target", TARGET, "--source", "raft"], 1);
    assert!(text.contains("hint: write `--source RECIPE=PATH`"), "{text}");
    let text = yard.bad(&["plan", "--target", TARGET, "--source", "raft=/nowhere"], 1);
    assert!(text.contains("no sources at `/nowhere`"), "{text}");

    let plan = yard.good(&["plan", "--target", TARGET, "--source", &source, "raft-devel"]);
    assert!(plan.contains("raft 0.11.0-1.el8") && plan.contains("given in place of what the recipe locks"), "{plan}");
    let build = ["--json", "build", "--target", TARGET, "--source", &source, "raft-devel"];
    let report: serde_json::Value = serde_json::from_str(&yard.good(&build)).expect("JSON");
    assert_eq!(report["targets"][0]["uncommitted_sources"], true);
    let packages = yard.path("root/dist").join(TARGET).join("Packages");
    let names: Vec<String> = fs::read_dir(&packages)
        .expect("packages")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".rpm"))
        .collect();
    assert_eq!(names, ["raft-devel-0.11.0-1.el8.x86_64.rpm"]);
    let query = run(Command::new("rpm")
        .args(["-qp", "--nosignature", "--provides", "--changelog", "-l"])
        .arg(packages.join(&names[0])));
    let query = String::from_utf8_lossy(&query.stdout).into_owned();
    for part in
        ["daos-raft-devel = 0.11.0-1.el8", "/usr/lib64/libraft.a", "/usr/include/raft.h", "Built from other sources"]
    {
        assert!(query.contains(part), "`{part}` is not in:\n{query}");
    }
    assert!(yard.good(&build).contains("nothing to do"));
    fs::write(yard.path("raft/src/raft.c"), "int raft_term(void) { return 8; }\n").expect("written");
    let text = said(&yard.packager(&build[1..]));
    assert!(text.contains("raft-0.11.0-1.el8.x86_64: built"), "{text}");
}

#[test]
fn cmake_and_meson_build_for_the_target() {
    let yard = Yard::new();
    tree(&yard.path("tree/number-main"), &NUMBER);
    let archive = yard.path("number.tar.gz");
    run(Command::new("tar").arg("-C").arg(yard.path("tree")).arg("-czf").arg(&archive).arg("number-main"));
    let source = format!("number={}", archive.display());
    let text = |method: &str| {
        format!(
            "name: number\nversion: \"1.0\"\nrelease: 1\nsummary: A number\nlicense: MIT\nmaintainer: Demo packages <packages@demo.invalid>\n\
             description: For the packager's own tests.\nsource:\n  released: 2026-01-02\n  archives: [{{ url: 'http://nowhere.invalid/number-1.0.tar.gz' }}]\n\
             on-request: it is a test\n{method}\npackages:\n  number:\n    files:\n      - installed: /usr/lib64/libnumber.so.1*\n      - licence: LICENSE\n  \
             number-devel:\n    requires: [number]\n    files:\n      - installed: /usr/lib64/libnumber.so\n      - installed: /usr/include/number.h\n      - licence: LICENSE\n\
             waivers: [{{ finding: no-binary, package: number-devel, reason: a header and a link }}]\n"
        )
    };
    let methods = [
        ("tools: [cmake]\ncmake: { variables: { LARGE: true } }", "mov    $0x3e8,%eax"),
        ("tools: [meson]\nmeson: { options: { value: 42 }, properties: { greeting: hello } }", "mov    $0x2a,%eax"),
    ];
    for (method, instruction) in methods {
        recipe(&yard, "number", &text(method));
        yard.good(&["build", "--target", TARGET, "--source", &source, "number"]);
        let root = yard.path("installed");
        fs::create_dir_all(&root).expect("a folder");
        let rpm = yard.path("root/dist").join(TARGET).join("Packages/number-1.0-1.el8.x86_64.rpm");
        let script = "rpm2archive - < \"$1\" | tar -xz -C \"$2\"";
        run(Command::new("sh").args(["-c", script, "sh"]).arg(&rpm).arg(&root));
        let code = run(Command::new("objdump").arg("-d").arg(root.join("usr/lib64/libnumber.so.1.0")));
        let code = String::from_utf8_lossy(&code.stdout);
        assert!(code.contains(instruction), "{method}: `{instruction}` is not in:\n{code}");
    }
}
