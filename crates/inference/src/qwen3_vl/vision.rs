//! The image tower: pictures to features.

use crate::cancel::Cancel;
use crate::family::Spec;
use crate::image::{SmartResize, smart_resize};
use crate::manifest::ImageFiles;
use crate::pictures;
use crate::place::Place;
use crate::qwen3_vl::positions::Grid;
use crate::qwen3_vl::towers::Images;
use crate::session::{Element, Graph};
use ndarray::{Array2, Array3, Array4, ArrayD, s};
use protocol::Fault;
use std::collections::BTreeMap;
use std::ops::Range;

const PIXELS: &str = "pixels";
const FEATURES: &str = "image_embeds";
const DEEPSTACK: &str = "deepstack";

/// A picture of one row whose header was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Sketch<'a> {
    bytes: &'a [u8],
    /// Which input it belongs to, for messages.
    place: Place,
    /// Pixels, after resizing.
    width: usize,
    /// Pixels, after resizing.
    height: usize,
    /// Its features.
    pub grid: Grid,
}

/// A picture of one row, decoded and resized.
#[derive(Debug)]
pub struct Picture {
    /// Height × width × 3.
    pub pixels: Array3<u8>,
    /// Its features.
    pub grid: Grid,
}

/// Features of the pictures of one batch, in order.
pub struct Features {
    /// N × D.
    pub embeds: Array2<f32>,
    /// K × N × D: what some layers of the text tower add.
    pub deepstack: Array3<f32>,
}

impl Features {
    /// Of no picture.
    pub fn none(images: &Images) -> Self {
        Self::zeros(0, images)
    }

    fn zeros(count: usize, images: &Images) -> Self {
        Self {
            embeds: Array2::zeros((count, images.width)),
            deepstack: Array3::zeros((images.deepstack, count, images.width)),
        }
    }

    /// These features before those of each row, of which `own` holds so many as `counts` says.
    pub fn before_each(&self, own: &Features, counts: &[usize]) -> Features {
        let (layers, shared, width) = self.deepstack.dim();
        let total = counts.len() * shared + own.embeds.nrows();
        let mut all = Features {
            embeds: Array2::zeros((total, width)),
            deepstack: Array3::zeros((layers, total, width)),
        };
        let (mut at, mut from) = (0, 0);
        for count in counts {
            all.put(at, self, 0..shared);
            all.put(at + shared, own, from..from + count);
            at += shared + count;
            from += count;
        }
        all
    }

    /// Copies some features of `others` to the place `at`.
    fn put(&mut self, at: usize, others: &Features, some: Range<usize>) {
        let here = at..at + some.len();
        let embeds = others.embeds.slice(s![some.clone(), ..]);
        self.embeds.slice_mut(s![here.clone(), ..]).assign(&embeds);
        let deepstack = others.deepstack.slice(s![.., some, ..]);
        self.deepstack.slice_mut(s![.., here, ..]).assign(&deepstack);
    }
}

impl<'a> Sketch<'a> {
    /// Looks at a picture's header and decides its size.
    pub fn of(
        bytes: &'a [u8],
        place: Place,
        spec: &Spec,
        files: &ImageFiles,
        rule: &SmartResize,
    ) -> Result<Self, Fault> {
        let resized = pictures::size(bytes, files, spec.options)
            .and_then(|(width, height)| smart_resize(width, height, rule));
        let (width, height) = resized.map_err(|fault| pictures::of_row(fault, place))?;
        let grid = (height / rule.factor, width / rule.factor);
        Ok(Self { bytes, place, width, height, grid })
    }

    /// How many features the picture has.
    pub fn features(&self) -> usize {
        self.grid.0 * self.grid.1
    }

    /// The picture itself.
    pub fn decode(&self, spec: &Spec, files: &ImageFiles) -> Result<Picture, Fault> {
        let size = (self.width, self.height);
        let pixels = pictures::pixels(self.bytes, files, size, spec.options)
            .map_err(|fault| pictures::of_row(fault, self.place))?;
        Ok(Picture { pixels, grid: self.grid })
    }
}

impl Picture {
    /// How many features the picture has.
    pub fn features(&self) -> usize {
        self.grid.0 * self.grid.1
    }
}

/// The loaded tower.
pub struct Vision {
    graph: Graph,
}

impl Vision {
    /// Loads the graph.
    pub fn load(spec: &Spec, files: &ImageFiles, cancel: &Cancel) -> Result<Self, Fault> {
        let graph = spec.graph(&files.graph, cancel)?;
        let inputs = [(PIXELS, Element::U8, [None, None, None, Some(3)].as_slice())];
        let expected = graph.expect(&inputs, &[FEATURES, DEEPSTACK]);
        expected.map_err(|fault| spec.name_in(fault))?;
        Ok(Self { graph })
    }

    /// Where the graph runs.
    pub fn device(&self) -> &str {
        self.graph.device()
    }

    /// The features of `pictures`; those of one size run together.
    pub fn features(
        &self,
        pictures: &[&Picture],
        images: &Images,
        spec: &Spec,
        cancel: &Cancel,
    ) -> Result<Features, Fault> {
        let mut total = 0;
        let mut by_grid: BTreeMap<Grid, Vec<(usize, &Picture)>> = BTreeMap::new();
        for picture in pictures {
            by_grid.entry(picture.grid).or_default().push((total, *picture));
            total += picture.features();
        }
        let mut all = Features::zeros(total, images);
        for group in by_grid.values() {
            let each = group.first().map_or(1, |(_, picture)| picture.features());
            let together = match spec.manifest.batch_invariant {
                true => (spec.batch_tokens(self.graph.on_cpu()) / each.max(1)).max(1),
                false => 1,
            };
            for chunk in group.chunks(together) {
                copy(self.run(chunk, cancel)?, chunk, &mut all, spec)?;
            }
        }
        Ok(all)
    }

    /// Runs pictures of one size: features and deepstack, one picture behind the other.
    fn run(&self, chunk: &[(usize, &Picture)], cancel: &Cancel) -> Result<[ArrayD<f32>; 2], Fault> {
        let (height, width, _) = chunk.first().map_or((0, 0, 3), |(_, one)| one.pixels.dim());
        let mut pixels = Array4::zeros((chunk.len(), height, width, 3));
        for (slot, (_, picture)) in chunk.iter().enumerate() {
            pixels.slice_mut(s![slot, .., .., ..]).assign(&picture.pixels);
        }
        self.graph.run(vec![(PIXELS, pixels.into())], [FEATURES, DEEPSTACK], cancel)
    }
}

/// Puts the features of a chunk where their pictures stand in the batch.
fn copy(
    [embeds, deepstack]: [ArrayD<f32>; 2],
    chunk: &[(usize, &Picture)],
    all: &mut Features,
    spec: &Spec,
) -> Result<(), Fault> {
    let count: usize = chunk.iter().map(|(_, picture)| picture.features()).sum();
    let (layers, _, width) = all.deepstack.dim();
    let shapes = [embeds.shape().to_vec(), deepstack.shape().to_vec()];
    let wrong = || {
        let broken = spec.directory.broken("its image features do not have the manifest's shape");
        broken.detail(format!(
            "{shapes:?} came, [{count}, {width}] and [{layers}, {count}, {width}] were expected."
        ))
    };
    if shapes[0] != [count, width] || shapes[1] != [layers, count, width] {
        return Err(wrong());
    }
    let found = Features {
        embeds: embeds.into_dimensionality().map_err(|_| wrong())?,
        deepstack: deepstack.into_dimensionality().map_err(|_| wrong())?,
    };
    let mut from = 0;
    for (at, picture) in chunk {
        let n = picture.features();
        all.put(*at, &found, from..from + n);
        from += n;
    }
    Ok(())
}
