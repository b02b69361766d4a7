//! Definitions of flows, which an org has for each of its flows and which nobody need deploy: they tell which version is
//! on. Whatever a stored one says, it is in step with the flow.

use super::store::Key;
use super::xml::Element;
use crate::automation::{Automation, Kind};
use crate::store::World;

const VERSION: &str = "activeVersionNumber";

/// The names of a type's components that flows imply.
pub(super) fn names(world: &World, type_name: &str) -> Vec<String> {
    if type_name != "FlowDefinition" {
        return Vec::new();
    }
    let flows = world.automations.all().filter(|automation| automation.kind == Kind::Flow);
    flows.map(|automation| automation.full_name.clone()).collect()
}

/// The flow that a component is the definition of.
pub(super) fn find<'a>(world: &'a World, key: &Key) -> Option<&'a Automation> {
    (&*key.type_name == "FlowDefinition").then(|| world.automations.find(Kind::Flow, &key.full_name))?
}

/// The definition of a flow.
pub(super) fn document(flow: &Automation) -> Element {
    let mut root = Element::new("FlowDefinition");
    root.push(VERSION, if flow.active { "1" } else { "0" });
    root
}

/// Tells in a definition whether its flow is on, if it says something else. Whether it did.
pub(super) fn switch(root: &mut Element, active: bool) -> bool {
    // any version may be the one that is on
    let is_on = root.text_of(VERSION).is_some_and(|version| version != "0");
    if is_on != active {
        root.set(VERSION, if active { "1" } else { "0" });
        root.sort();
    }
    is_on != active
}
