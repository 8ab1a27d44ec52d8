//! The templates that come with NodePanel.

/// Slug and TOML of every built-in template, in the order in which they are offered.
pub const BUILTIN: &[(&str, &str)] = &[
    ("minecraft", include_str!("../../../../templates/minecraft.toml")),
    ("openttd", include_str!("../../../../templates/openttd.toml")),
    ("openarena", include_str!("../../../../templates/openarena.toml")),
    ("minetest", include_str!("../../../../templates/minetest.toml")),
    ("any-command", include_str!("../../../../templates/any-command.toml")),
];
