//! Whether statements are looked at for vectors of different models.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static MODEL_GUARD: GucSetting<bool> = GucSetting::<bool>::new(true);

pub(super) fn define() {
    GucRegistry::define_bool_guc(
        c"itembank_embed.model_guard",
        c"Whether comparing vectors of different models is an error.",
        c"A statement is checked when it is analysed, where the models of both sides are known by then.",
        &MODEL_GUARD,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// Whether it is an error as the setting stands now.
pub fn model_guard() -> bool {
    MODEL_GUARD.get()
}
