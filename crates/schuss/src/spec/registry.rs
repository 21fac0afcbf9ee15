//! Choices of one's own, found in specs by a registered name.

use crate::{Cause, Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Registered choices of one kind.
pub(crate) struct Registry<T: ?Sized> {
    /// Kind, for messages.
    noun: &'static str,
    known: RwLock<BTreeMap<String, Arc<T>>>,
}

impl<T: ?Sized> Registry<T> {
    pub(crate) const fn new(noun: &'static str) -> Self {
        Self { noun, known: RwLock::new(BTreeMap::new()) }
    }

    /// Registers a choice, or replaces the one of the same name.
    ///
    /// # Errors
    /// A usage error for a name that a spec cannot hold.
    pub(crate) fn register(&self, name: String, choice: Arc<T>) -> Result<()> {
        if name.is_empty() || name != name.trim() || name.contains([',', '+', '/', '@', '{', '}']) {
            return Err(Error::usage(format!("specs cannot hold `{name}` as a name"))
                .advise("letters, digits, spaces, dots and dashes"));
        }
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(plain(&name), choice);
        Ok(())
    }

    /// Returns the choice registered as `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<T>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&plain(name)).cloned()
    }

    /// Returns the error for a name that is not registered.
    pub(crate) fn missing(&self, name: &str) -> Error {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let advice = match names.as_slice() {
            [] => "the library, in a program that calls `Custom::register` first".to_owned(),
            names => format!("one of those registered: {}", names.join(", ")),
        };
        let what = match name {
            "" => format!("`custom` needs the name of a registered {}: custom:name=NAME", self.noun),
            name => format!("no {} is registered as `{name}`", self.noun),
        };
        Error::usage(what)
            .because(Cause::UnknownName { noun: self.noun.to_owned(), name: name.to_owned(), nearest: None })
            .advise(advice)
    }
}

/// Returns a name as the grammar reads it: in lower case, `_` as `-`.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// Defines a row of a table of choices that holds a trait object of one's own.
macro_rules! custom {
    ($(#[$doc:meta])* $row:ident of $own:ident, registered in $registry:ident as $noun:literal) => {
        static $registry: $crate::spec::Registry<dyn $own> = $crate::spec::Registry::new($noun);

        $(#[$doc])*
        #[derive(
            Clone, Debug, Default, serde::Serialize, serde::Deserialize, documented::Documented,
            documented::DocumentedFields,
        )]
        #[serde(default, from = "Named")]
        pub struct $row {
            /// Name by which it is registered.
            name: String,
            /// The choice itself.
            #[serde(skip)]
            own: Option<std::sync::Arc<dyn $own>>,
        }

        /// Its text in specs.
        #[derive(Default, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Named {
            name: String,
        }

        impl From<Named> for $row {
            fn from(Named { name }: Named) -> Self {
                let own = $registry.find(&name);
                Self { name: own.as_ref().map_or(name, |own| own.name()), own }
            }
        }

        impl<T: $own + 'static> From<std::sync::Arc<T>> for $row {
            fn from(own: std::sync::Arc<T>) -> Self {
                Self { name: own.name(), own: Some(own) }
            }
        }

        impl PartialEq for $row {
            /// Compares identity, not behaviour.
            fn eq(&self, other: &Self) -> bool {
                match (&self.own, &other.own) {
                    (Some(own), Some(theirs)) => std::sync::Arc::ptr_eq(own, theirs),
                    (own, theirs) => own.is_none() && theirs.is_none() && self.name == other.name,
                }
            }
        }

        impl $crate::spec::Choice for $row {
            const NAME: &'static str = "custom";

            fn check(&self) -> $crate::Result<()> {
                if self.own.is_some() { Ok(()) } else { Err($registry.missing(&self.name)) }
            }
        }

        impl $row {
            /// Registers a choice of one's own under its name for this process: specs, study files and runs to be
            /// resumed then find it as `custom:name=NAME`. Another one of the same name is replaced.
            ///
            /// # Errors
            /// A usage error for a name that a spec cannot hold.
            pub fn register<T: $own + 'static>(own: std::sync::Arc<T>) -> $crate::Result<Self> {
                $registry.register(own.name(), own.clone())?;
                Ok(own.into())
            }
        }
    };
}
pub(crate) use custom;
