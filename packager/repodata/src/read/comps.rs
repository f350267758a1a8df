//! `comps.xml`. Translations of names, categories and what else is not known are passed over.

use std::io::BufRead;
use std::mem;

use super::{Attributes, ReadError, Sink, document};
use crate::comps::{Comps, Environment, Group, Member, When};

/// Reads it. Every group and environment must have an id.
pub fn comps(from: impl BufRead) -> Result<Comps, ReadError> {
    let mut reading = Reading::default();
    document(from, &mut reading)?;
    Ok(reading.comps)
}

#[derive(Default)]
struct Reading {
    comps: Comps,
    group: Option<Group>,
    environment: Option<Environment>,
    when: When,
    /// The element is a translation.
    translated: bool,
    /// The groups are options.
    optional: bool,
}

impl Sink for Reading {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, "comps") => {}
            (1, _) => return Err(ReadError::Kind("group")),
            (2, _) => {
                let visible = Group { uservisible: true, ..Group::default() };
                self.group = (name == "group").then_some(visible);
                self.environment = (name == "environment").then(Environment::default);
            }
            (3, _) => {
                self.translated = !element.get("xml:lang")?.is_empty();
                self.optional = name == "optionlist";
            }
            (4, "packagereq") => {
                self.when = match element.get("type")?.as_str() {
                    "mandatory" => When::Mandatory,
                    "default" => When::Default,
                    "conditional" => When::Conditional(element.get("requires")?),
                    // As libcomps takes what has no type.
                    _ => When::Optional,
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        let Reading { comps, group, environment, when, translated, optional } = self;
        match (depth, name) {
            (2, "group") => {
                if let Some(group) = group.take() {
                    has_id(&group.id)?;
                    comps.groups.push(group);
                }
            }
            (2, "environment") => {
                if let Some(environment) = environment.take() {
                    has_id(&environment.id)?;
                    comps.environments.push(environment);
                }
            }
            (3, "default") => each(group, |group| group.default = text.trim() == "true"),
            (3, "uservisible") => each(group, |group| group.uservisible = text.trim() == "true"),
            (3, "id" | "name" | "description") if !*translated => {
                let fields = match (group, environment) {
                    (Some(Group { id, name, description, .. }), _)
                    | (None, Some(Environment { id, name, description, .. })) => [id, name, description],
                    (None, None) => return Ok(()),
                };
                let [id, title, description] = fields;
                match name {
                    "id" => *id = text.trim().to_owned(),
                    "name" => *title = mem::take(text),
                    _ => *description = mem::take(text),
                }
            }
            (4, "packagereq") => each(group, |group| {
                group.members.push(Member { name: mem::take(text), when: mem::take(when) });
            }),
            (4, "groupid") => each(environment, |environment| {
                let ids = if *optional { &mut environment.options } else { &mut environment.groups };
                ids.push(mem::take(text));
            }),
            _ => {}
        }
        Ok(())
    }
}

fn each<T>(value: &mut Option<T>, change: impl FnOnce(&mut T)) {
    if let Some(value) = value {
        change(value);
    }
}

fn has_id(id: &str) -> Result<(), ReadError> {
    if id.is_empty() { Err(ReadError::Missing("id")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::tests::{filled, text};
    use super::{Comps, Environment, Group, Member, ReadError, When, comps};
    use crate::read::well_formed;
    use crate::write;

    fn when() -> impl Strategy<Value = When> {
        let simple = prop::sample::select(vec![When::Mandatory, When::Default, When::Optional]);
        prop_oneof![simple, filled().prop_map(When::Conditional)]
    }

    prop_compose! {
        fn group()(
            (id, name, description) in ("[a-z]{1,8}", text(), text()),
            (default, uservisible) in any::<(bool, bool)>(),
            members in vec((text(), when()).prop_map(|(name, when)| Member { name, when }), 0..4),
        ) -> Group {
            Group { id, name, description, default, uservisible, members }
        }
    }

    prop_compose! {
        fn environment()(
            (id, name, description) in ("[a-z]{1,8}", text(), text()),
            (groups, options) in (vec(text(), 0..3), vec(text(), 0..3)),
        ) -> Environment {
            Environment { id, name, description, groups, options }
        }
    }

    proptest! {
        #[test]
        fn groups_go_to_xml_and_back(groups in vec(group(), 0..3), environments in vec(environment(), 0..3)) {
            let value = Comps { groups, environments };
            let text = write::comps(&value);
            well_formed(text.as_bytes()).expect("we write XML");
            prop_assert_eq!(comps(text.as_bytes()).expect("what is written is read"), value);
        }

        #[test]
        fn damage_is_an_error_or_another_value(group in group(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = write::comps(&Comps { groups: vec![group], environments: Vec::new() }).into_bytes();
            let position = at.index(bytes.len() - 1);
            comps(&bytes[..position]).expect_err("a cut is seen");
            bytes[position] = byte;
            let _either = comps(&bytes[..]);
        }
    }

    /// As distributions write it: translations, categories, languages.
    #[test]
    fn what_is_not_known_is_passed_over() {
        let text = "<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\"><comps><group><id> a </id><name>A</name>\
            <name xml:lang=\"de\">Ä</name><langonly>de</langonly><packagelist><packagereq>x</packagereq></packagelist></group>\
            <category><id>c</id><grouplist><groupid>a</groupid></grouplist></category>\
            <environment><id>e</id><optionlist><groupid default=\"true\">a</groupid></optionlist></environment></comps>";
        let read = comps(text.as_bytes()).expect("read");
        let [group] = &read.groups[..] else { panic!("one group") };
        assert_eq!((group.id.as_str(), group.name.as_str(), group.uservisible), ("a", "A", true));
        assert_eq!(group.members, [Member { name: "x".to_owned(), when: When::Optional }]);
        assert_eq!((read.environments.len(), &read.environments[0].options[..]), (1, &["a".to_owned()][..]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let fault = |text: &str| comps(text.as_bytes()).expect_err("refused");
        assert!(matches!(fault("<comps><group/></comps>"), ReadError::Missing("id")));
        assert!(matches!(fault("<comps><environment><name>x</name></environment></comps>"), ReadError::Missing("id")));
        assert!(matches!(fault("<updates/>"), ReadError::Kind("group")));
        assert!(matches!(fault("<comps>"), ReadError::Truncated));
    }

    /// Golden bytes: what every released version must write and read.
    #[test]
    fn a_small_file_is_this() {
        let member = |name: &str, when| Member { name: name.to_owned(), when };
        let members = vec![member("a", When::Mandatory), member("b", When::Conditional("c\"".to_owned()))];
        let [id, name, description] = ["g", "G & H", "d"].map(str::to_owned);
        let group = Group { id, name, description, default: false, uservisible: true, members };
        let environment = Environment { id: "e".to_owned(), groups: vec!["g".to_owned()], ..Environment::default() };
        let value = Comps { groups: vec![group], environments: vec![environment] };
        assert_eq!(
            write::comps(&value),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps>\n  <group>\n    <id>g</id>\n    <name>G &amp; H</name>\n    \
             <description>d</description>\n    <default>false</default>\n    <uservisible>true</uservisible>\n    <packagelist>\n      \
             <packagereq type=\"mandatory\">a</packagereq>\n      <packagereq type=\"conditional\" requires=\"c&quot;\">b</packagereq>\n    \
             </packagelist>\n  </group>\n  <environment>\n    <id>e</id>\n    <name></name>\n    <description></description>\n    \
             <grouplist>\n      <groupid>g</groupid>\n    </grouplist>\n    <optionlist>\n    </optionlist>\n  </environment>\n</comps>\n"
        );
    }
}
