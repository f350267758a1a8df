//! Several recipes in one run: some fail, the others are built, and the failed sandbox can be entered.

use std::process::Stdio;

use crate::upstream::{archive, head, recipe};
use crate::yard::{TARGET, Yard, said};

/// A library without anything to it; `line` is a line of C in it.
pub(crate) fn library(yard: &Yard, name: &str, line: &str, more: &str) {
    let makefile = format!(
        "all:\n\techo begun > trace\n\t$(CC) $(CFLAGS) $(LDFLAGS) -fPIC -shared -Wl,-soname,lib{name}.so.1 {name}.c -o lib{name}.so.1\n\
         install:\n\tinstall -D -m 755 lib{name}.so.1 $(DESTDIR)/usr/lib64/lib{name}.so.1\n"
    );
    let source = format!("#include <stdlib.h>\n{line}\nint {name}(void) {{ return atoi(\"1\"); }}\n");
    let (path, sum) =
        archive(yard, &format!("{name}-1.0"), &[("Makefile", &makefile), (&format!("{name}.c"), &source)]);
    let files = format!(
        "make: {{}}\n{more}packages:\n  {name}:\n    summary: One\n    files:\n      - installed: /usr/lib64/lib{name}.so.1\n      - licence: LICENSE\n"
    );
    recipe(yard, name, &format!("{}{files}", head(name, &path, &sum)));
}

#[test]
fn what_does_not_need_a_failed_recipe_is_built() {
    let yard = Yard::new();
    library(&yard, "broken", "this is not C", "");
    library(&yard, "needing", "", "libraries: [broken]\n");
    library(&yard, "apart", "", "project: libapart\n");
    let all = ["apart", "broken", "needing"];

    let build = |more: &[&str]| yard.packager(&[&["build", "--target", TARGET, "--jobs", "2"], more, &all].concat());
    let output = build(&["--keep-going"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("apart-1.0-1.el8.x86_64: built"), "{text}");
    assert!(text.contains("`broken` was not built") && text.contains("broken.c:2"), "{text}");
    assert!(text.contains("`needing` was not built: it needs `broken`"), "{text}");
    assert!(text.contains(&format!("packager shell --target {TARGET} broken")), "{text}");
    assert!(!yard.path("root/dist").join(TARGET).exists(), "half a repository was published");

    // The sandbox is as the failed build left it, with the compiler's environment.
    let told = yard.good(&["shell", "--target", TARGET, "broken", "--", "cat trace && echo $CC && pwd"]);
    assert!(told.starts_with("begun\n") && told.contains("--sysroot=/sysroot"), "{told}");
    assert!(told.trim_end().ends_with("/broken-1.0"), "{told}");
    // A recipe that did not fail: its sources are unpacked, nothing is built.
    let told = yard.good(&["shell", "--target", TARGET, "apart", "--", "ls"]);
    assert_eq!(told, "LICENSE\nMakefile\napart.c\n");
    yard.bad(&["shell", "--target", TARGET, "libapart", "--", "exit 3"], 3);
    assert!(yard.good(&["lock", "--verify", "libapart"]).contains("as locked"));
    let text = yard.bad(&["lock", "--verify", "apard"], 1);
    assert!(text.contains("no recipe `apard`\nhint: write `apart`"), "{text}");
    let told = yard.good(&["shell", "--target", TARGET, "apart", "--", "sh", "-c", "echo $0-$1", "it's", "a b"]);
    assert_eq!(told.trim(), "it's-a b", "arguments arrive as they are");
    let text = yard.bad(&["shell", "--target", TARGET, "needing"], 1);
    assert!(text.contains("`needing` links against `broken`, which is not built"), "{text}");

    library(&yard, "broken", "", "");
    let output = build(&[]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("apart-1.0-1.el8.x86_64: cached") && text.contains("needing-1.0-1.el8.x86_64: built"),
        "{text}"
    );
    assert!(!yard.path(&format!("state/failed/broken-{TARGET}")).exists());

    // A repository holds what one build made, and says what goes.
    let text = said(&yard.packager(&["build", "--target", TARGET, "apart"]));
    assert!(
        text.contains("will hold what this build makes, and no longer broken, needing\nhint: name these too"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_begun_keeps_nothing_else_from_being_built() {
    let yard = Yard::new();
    library(&yard, "good", "", "");
    library(&yard, "gone", "", "");
    std::fs::remove_file(yard.path("upstream/gone-1.0.tar.gz")).expect("removed");
    library(&yard, "needing", "", "libraries: [gone]\n");
    library(&yard, "elsewhere", "", "build-requires: [libuuid-devel]\n");
    let all = ["good", "gone", "needing", "elsewhere"];
    let plan = yard.good(&["plan", "--target", TARGET, "elsewhere"]);
    assert!(plan.contains("needs libuuid-devel of the distribution: a cross build does not see them"), "{plan}");
    let text = yard.bad(&[&["build", "--target", TARGET, "--keep-going"], &all[..]].concat(), 1);
    for part in [
        "good-1.0-1.el8.x86_64: built",
        "gone-1.0.tar.gz",
        "`needing` was not built: it needs `gone`",
        "`elsewhere` needs libuuid-devel of the distribution, which a cross build does not see\nhint: build it with `--buildroot host`",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    assert!(!yard.path("root/dist").join(TARGET).exists(), "nothing is published");
    // Without it that ends everything before anything is compiled.
    let text = yard.bad(&["build", "--target", TARGET, "elsewhere", "--source", "good=nowhere", "good"], 1);
    assert!(text.contains("no sources at `nowhere`"), "{text}");
    let text = yard.bad(&["build", "--target", TARGET, "gone", "shape", "good"], 1);
    assert!(text.contains("no recipe or package is called `shape`"), "{text}");
    library(&yard, "other", "", "");
    let text = yard.bad(&["build", "--target", TARGET, "gone", "other"], 1);
    assert!(text.contains("gone-1.0.tar.gz") && !text.contains("other-1.0-1.el8.x86_64"), "{text}");
}

#[test]
fn two_packagers_build_a_recipe_once() {
    let yard = Yard::new();
    library(&yard, "shared", "", "");
    let build = |out: &str| {
        let mut command = yard.command(&["build", "--target", TARGET, "--out", out, "shared"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the packager runs")
    };
    let outputs = [build("first"), build("second")].map(|child| child.wait_with_output().expect("it is our child"));
    let texts = outputs.each_ref().map(said);
    assert!(outputs.iter().all(|output| output.status.success()), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("waiting for another packager")).count(), 1, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains(": compiling and packaging")).count(), 1, "{texts:?}");
}

#[test]
fn a_damaged_repository_is_compared_as_far_as_it_goes() {
    let yard = Yard::new();
    let arguments = ["build", "--target", TARGET, "shape"];
    library(&yard, "shape", "int corners(void) { return 4; }", "");
    yard.good(&arguments);
    let repository = yard.path("root/dist").join(TARGET);
    // Something that gates do not look at is missing, and the next build loses a symbol.
    std::fs::remove_file(repository.join("daos.pem")).expect("removed");
    library(&yard, "shape", "", "");
    let text = yard.bad(&arguments, 1);
    assert!(text.contains("warning: `") && text.contains("is not as its record says"), "{text}");
    assert!(text.contains("corners") && text.contains("keep the packages out of the repository"), "{text}");
    // What cannot be compared is said, and keeps nothing out: publishing again mends the repository.
    std::fs::write(repository.join("Packages/shape-1.0-1.el8.x86_64.rpm"), "damaged").expect("written");
    let output = yard.packager(&arguments);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("warning: the interfaces of `shape` are not compared"), "{text}");
    assert!(yard.good(&arguments).contains("nothing to do"));
    // The provenance states what was asked for: another request with the same packages is published anew.
    let text = yard.good(&[&arguments[..], &["--use", "shape=1.0"]].concat());
    assert!(!text.contains("nothing to do"), "{text}");
}
