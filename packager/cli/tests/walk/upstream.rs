//! Upstream projects: two releases in C, of which one links against the packages of the other, from archives with hashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::yard::{TARGET, Yard, run, said};

/// A library, a header and a pkg-config file, with makefiles.
const NUMBER: [(&str, &str); 4] = [
    ("number.c", "#include <stdlib.h>\nint number(void) { return atoi(\"42\"); }\n"),
    ("number.h", "int number(void);\n"),
    (
        "number.pc",
        "prefix=/usr\nName: number\nDescription: a number\nVersion: 1.0\nLibs: -L${prefix}/lib64 -lnumber\nCflags: -I${prefix}/include\n",
    ),
    (
        "Makefile",
        "all: libnumber.so.1\nlibnumber.so.1: number.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -fPIC -shared -Wl,-soname,libnumber.so.1 number.c -o libnumber.so.1\n\
         install:\n\tinstall -D -m 755 libnumber.so.1 $(DESTDIR)/usr/lib64/libnumber.so.1\n\tln -s libnumber.so.1 $(DESTDIR)/usr/lib64/libnumber.so\n\
         \tinstall -D -m 644 number.h $(DESTDIR)/usr/include/number.h\n\tinstall -D -m 644 number.pc $(DESTDIR)/usr/lib64/pkgconfig/number.pc\n",
    ),
];

/// A program that uses the library, with a `configure` that asks pkg-config.
const TELLER: [(&str, &str); 3] = [
    (
        "teller.c",
        "#include <number.h>\n#include <stdio.h>\n#include <stdlib.h>\nstatic void end(void) {}\nint main(void) { return atexit(end) != 0 || printf(GREETING \"%d\\n\", number()) < 0; }\n",
    ),
    (
        "configure",
        "#!/bin/sh\ngreeting=plain\nfor word in \"$@\"; do case $word in --with-greeting=*) greeting=${word#*=} ;; esac; done\n\
         cat > Makefile <<E\nall: teller\nteller: teller.c\n\t$CC $CFLAGS $LDFLAGS -fPIE -pie -DGREETING='\"$greeting \"' teller.c -o teller `${PKG_CONFIG:-pkg-config} --cflags --libs number`\n\
         install:\n\tinstall -D -m 755 teller \\$(DESTDIR)/usr/bin/teller\nE\n",
    ),
    ("LICENSE", "Free.\n"),
];

/// An archive of a release, and its hash.
pub(crate) fn archive(yard: &Yard, name: &str, files: &[(&str, &str)]) -> (PathBuf, String) {
    let folder = yard.path("upstream").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in files {
        fs::write(folder.join(file), text).expect("written");
    }
    fs::write(folder.join("LICENSE"), "Free.\n").expect("written");
    if folder.join("configure").is_file() {
        run(Command::new("chmod").arg("755").arg(folder.join("configure")));
    }
    let path = yard.path("upstream").join(format!("{name}.tar.gz"));
    run(Command::new("tar").arg("-C").arg(yard.path("upstream")).arg("-czf").arg(&path).arg(name));
    let sum = run(Command::new("sha256sum").arg(&path));
    let sum = String::from_utf8_lossy(&sum.stdout).split_whitespace().next().expect("a hash").to_owned();
    (path, sum)
}

pub(crate) fn recipe(yard: &Yard, name: &str, text: &str) -> PathBuf {
    let path = yard.path("root/specs").join(name).join("recipe.yaml");
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, text).expect("written");
    path
}

pub(crate) fn head(name: &str, archive: &Path, sha256: &str) -> String {
    format!(
        "name: {name}\nversion: \"1.0\"\nrelease: 1\nsummary: Something in C\nlicense: MIT\nmaintainer: Demo packages <packages@demo.invalid>\n\
         description: For the packager's own tests.\nsource:\n  released: 2026-01-02\n  archives:\n    - url: file://{}\n      sha256: {sha256}\n",
        archive.display()
    )
}

/// The recipe of the library.
fn library_recipe(archive: &Path, sha256: &str) -> String {
    format!(
        "{}make: {{}}\npackages:\n  number:\n    summary: A number\n    files:\n      - installed: /usr/lib64/libnumber.so.1\n      - licence: LICENSE\n  \
         number-devel:\n    summary: A number, development files\n    provides: [libnumber-devel]\n    requires: [number]\n    files:\n      - installed: /usr/lib64/libnumber.so\n      \
         - installed: /usr/include/number.h\n      - installed: /usr/lib64/pkgconfig/number.pc\n      - licence: LICENSE\n",
        head("number", archive, sha256)
    )
}

/// Everything that a package asks for, one a line.
fn requires(rpm: &Path) -> String {
    let output = run(Command::new("rpm").args(["-qp", "--nosignature", "--qf", "[%{REQUIRES}\n]"]).arg(rpm));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Unpacks packages into one folder.
fn unpack(yard: &Yard, packages: &[PathBuf]) -> PathBuf {
    let root = yard.path("installed");
    fs::create_dir_all(&root).expect("a folder");
    for rpm in packages {
        run(Command::new("sh").args(["-c", "rpm2archive - < \"$1\" | tar -xz -C \"$2\"", "sh"]).arg(rpm).arg(&root));
    }
    root
}

#[test]
fn a_cargo_program_links_against_the_packages_of_a_library_when_its_feature_is_on() {
    let yard = Yard::new();
    let demo = yard.path("root/specs/demo/recipe.yaml");
    let change = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).expect("a file of the fixture");
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    };
    change(&yard.path("root/project/hello/Cargo.toml"), "[dependencies]", "[features]\nnumber = []\n\n[dependencies]");
    let main = yard.path("root/project/hello/src/main.rs");
    change(
        &main,
        "fn main() {",
        "#[cfg(feature = \"number\")]\n#[link(name = \"number\")]\nunsafe extern \"C\" {\n    safe fn number() -> std::ffi::c_int;\n}\n\n\
         #[cfg(not(feature = \"number\"))]\nfn number() -> u32 {\n    std::process::id()\n}\n\nfn main() {",
    );
    change(&main, "std::process::id())),", "number())),");
    change(
        &demo,
        "packages:\n  demo:",
        "options:\n  number:\n    default: true\n    libraries: [libnumber-devel]\n    on: [hello/number]\n\npackages:\n  demo:",
    );
    let without = yard.good(&["spec", "--target", TARGET, "demo"]);
    assert!(!without.contains("hello/number") && !without.contains("libnumber-devel"), "{without}");

    let (number, number_sum) = archive(&yard, "number-1.0", &NUMBER);
    recipe(&yard, "number", &library_recipe(&number, &number_sum));
    let plan = yard.good(&["plan", "--target", TARGET, "demo"]);
    assert!(plan.contains("number on") && plan.contains("`demo` links against `libnumber-devel`"), "{plan}");
    let with = yard.good(&["spec", "--target", TARGET, "demo"]);
    assert!(with.contains("-p hello -F hello/number") && with.contains("BuildRequires:  libnumber-devel"), "{with}");

    yard.good(&["build", "--target", TARGET, "demo"]);
    let packages = yard.path("root/dist").join(TARGET).join("Packages");
    let rpms = ["demo-1.2.3", "number-1.0"].map(|name| packages.join(format!("{name}-1.el8.x86_64.rpm")));
    assert!(requires(&rpms[0]).lines().any(|line| line == "libnumber.so.1()(64bit)"), "{}", requires(&rpms[0]));
    let root = unpack(&yard, &rpms);
    let told = run(Command::new(root.join("usr/bin/hello")).env("LD_LIBRARY_PATH", root.join("usr/lib64")));
    assert_eq!(String::from_utf8_lossy(&told.stdout), "42\n");

    change(&demo, "on: [hello/number]", "on: [helo/number]\n    off: [hello/none]");
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(text.contains("`helo/number` is no feature") && text.contains("write `hello/...`"), "{text}");
    assert!(text.contains("so `number` has no `off`"), "{text}");
}

#[test]
fn a_program_links_against_the_packages_of_a_library() {
    let yard = Yard::new();
    let (number, number_sum) = archive(&yard, "number-1.0", &NUMBER);
    let (teller, teller_sum) = archive(&yard, "teller-1.0", &TELLER);
    let library = library_recipe(&number, &number_sum);
    recipe(&yard, "number", &library);
    let program = format!(
        "{}autotools: {{}}\nlibraries: [libnumber-devel]\noptions:\n  greeting:\n    default: true\n    on: [--with-greeting=hello]\n  \
         fabric:\n    default: true\n    libraries: [libfabric-devel]\n    on: [--with-fabric]\n    off: [--without-fabric]\npackages:\n  teller:\n    summary: Tells a number\n    files:\n      \
         - installed: /usr/bin/teller\n      - licence: LICENSE\n",
        head("teller", &teller, &teller_sum)
    );
    let program_path = recipe(&yard, "teller", &program);

    let plan = yard.good(&["plan", "--target", TARGET, "teller"]);
    let waves = ["├─ wave 1\n│  └─ number 1.0-1.el8: built", "wave 2\n│  └─ teller 1.0-1.el8: built"];
    assert!(waves.iter().all(|wave| plan.contains(wave)), "{plan}");
    assert!(plan.contains("`teller` links against `libnumber-devel`"), "{plan}");
    assert!(plan.contains("fabric off: no recipe builds `libfabric-devel`"), "{plan}");
    assert!(
        yard.good(&["spec", "--target", TARGET, "teller"])
            .contains("%configure --without-fabric --with-greeting=hello")
    );

    yard.good(&["build", "--target", TARGET, "teller"]);
    let plan = yard.good(&["plan", "--target", TARGET, "teller"]);
    assert!(plan.contains("number 1.0-1.el8: cached") && plan.contains("teller 1.0-1.el8: cached"), "{plan}");
    let packages = yard.path("root/dist").join(TARGET).join("Packages");
    let program_rpm = packages.join("teller-1.0-1.el8.x86_64.rpm");
    assert!(requires(&program_rpm).lines().any(|line| line == "libnumber.so.1()(64bit)"), "{}", requires(&program_rpm));
    // What was built runs, with the library of the package.
    let root = unpack(&yard, &[program_rpm, packages.join("number-1.0-1.el8.x86_64.rpm")]);
    let told = run(Command::new(root.join("usr/bin/teller")).env("LD_LIBRARY_PATH", root.join("usr/lib64")));
    assert_eq!(String::from_utf8_lossy(&told.stdout), "hello 42\n");
    // At another place, with a sysroot made there.
    let text = yard.good(&["rebuild", "--check", "--target", TARGET, "teller"]);
    let named = |name: &str| text.contains(&format!("{name}-1.0-1.el8.x86_64.rpm: identical"));
    assert!(named("number") && named("teller") && named("teller-debuginfo") && !text.contains("differs"), "{text}");

    // A change to the program builds it alone; a change to the library builds both.
    fs::write(&program_path, program.replace("summary: Tells a number", "summary: Tells the number")).expect("written");
    let text = said(&yard.packager(&["build", "--target", TARGET, "teller"]));
    assert!(
        text.contains("number-1.0-1.el8.x86_64: cached") && text.contains("teller-1.0-1.el8.x86_64: built"),
        "{text}"
    );
    recipe(&yard, "number", &library.replace("summary: A number\n", "summary: The number\n"));
    let text = said(&yard.packager(&["build", "--target", TARGET, "teller"]));
    assert!(
        text.contains("number-1.0-1.el8.x86_64: built") && text.contains("teller-1.0-1.el8.x86_64: built"),
        "{text}"
    );

    mistakes(&yard, &library, &program, &number);
}

fn a_patch_for_another_release(yard: &Yard, library: &str) {
    let patched = library.replace("make: {}", "make: {}\npatches:\n  - { file: answer.patch, reason: another answer }");
    let path = recipe(yard, "number", &patched);
    let patch = path.with_file_name("files").join("answer.patch");
    fs::create_dir_all(patch.parent().expect("a folder")).expect("made");
    let change = |from: &str| {
        format!(
            "--- a/number.c\n+++ b/number.c\n@@ -1,2 +1,2 @@\n #include <stdlib.h>\n-int number(void) {{ return atoi(\"{from}\"); }}\n+int number(void) {{ return atoi(\"7\"); }}\n"
        )
    };
    fs::write(&patch, change("41")).expect("written");
    let text = yard.bad(&["build", "--target", TARGET, "number"], 1);
    assert!(text.contains("answer.patch: this patch does not apply to 1.0: make it anew"), "{text}");
    fs::write(&patch, "Not a patch at all.\n").expect("written");
    let text = yard.bad(&["build", "--target", TARGET, "number"], 1);
    assert!(text.contains("answer.patch: this patch does not apply to 1.0: make it anew"), "{text}");
    fs::write(&patch, "").expect("written");
    let text = yard.bad(&["build", "--target", TARGET, "number"], 1);
    assert!(text.contains("the patch `answer.patch` is empty\n") && text.contains("recipe.yaml:"), "{text}");
    fs::write(&patch, change("42")).expect("written");
    yard.good(&["build", "--target", TARGET, "number"]);
}

fn mistakes(yard: &Yard, library: &str, program: &str, number: &Path) {
    // A file that the development package forgot: the program sees packages, not the library's build tree.
    recipe(yard, "number", &library.replace("      - installed: /usr/include/number.h\n", ""));
    let text = yard.bad(&["build", "--target", TARGET, "teller"], 1);
    assert!(
        text.contains("Installed (but unpackaged) file(s) found") && text.contains("/usr/include/number.h"),
        "{text}"
    );
    a_patch_for_another_release(yard, library);
    recipe(yard, "number", library);
    recipe(yard, "teller", &program.replace("[libnumber-devel]", "[libnumbr-devel]"));
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(text.contains("no recipe builds `libnumbr-devel`") && text.contains("write `libnumber-devel`"), "{text}");
    recipe(yard, "teller", program);
    recipe(yard, "number", &library.replace("make: {}", "make: {}\ncargo: { packages: [x], rust: \"1\" }"));
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(
        text.contains("recipe.yaml:1:7") && text.contains("give one of `cargo`, `autotools`, `make`, `meson`, `cmake`"),
        "{text}"
    );
    // An archive that is not what the recipe says.
    fs::write(number, "something else").expect("written");
    recipe(yard, "number", library);
    fs::remove_dir_all(yard.path("state/archives")).expect("the store");
    let text = yard.bad(&["build", "--target", TARGET, "teller"], 1);
    assert!(
        text.contains("its SHA-256 is") && text.contains("hint: check the network, and `sha256:` in the recipe"),
        "{text}"
    );
}
