//! The macro that declares the state of an indicator.

/// Declares a struct and implements `Clone` field by field, `clone_from` included. `#[derive(Clone)]`
/// leaves `clone_from` to its default, which clones and drops: every peek would allocate the windows
/// anew. The fields' own `clone_from` (boxed slices of equal length) copies in place.
macro_rules! state {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $ty,)* }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone(),)* }
            }
            #[inline]
            fn clone_from(&mut self, source: &Self) {
                $(self.$field.clone_from(&source.$field);)*
            }
        }
    };
}

pub(crate) use state;
