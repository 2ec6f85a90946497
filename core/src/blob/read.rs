//! Reads a blob where it lies.

use core::ops::Range;

use bytemuck::{AnyBitPattern, PodCastError, try_cast_slice};

use super::format::{
    CRC, HEADER, MAGIC, ROW, SECTION_ALIGN, VERSION, at, layer_kind, section, u16_at, u32_at,
    u64_at,
};
use super::input::{Input, InputKind, InputSection};
use super::{
    AnomalyThreshold, BlobError, Checkpoint, DataSplit, Feature, Provenance, SelfTest, TargetKind,
};
use crate::Error;
use crate::int8::{dense_len, hidden_layers, section_len};
use crate::kernels::{InputMap, Int8Row};
use crate::layers::{AnyLayer, Layer, MAX_LAYERS, Sequential, Sizes};
use crate::loss::LossKind;
use crate::math::is_finite;
use crate::training::TrainingState;

/// A blob whose header, checksums and tables have been found sound. Borrows the bytes; copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    bytes: &'a [u8],
    layers: usize,
    sections: usize,
}

impl<'a> Blob<'a> {
    /// Checks everything that can be checked without a network: see [`BlobError`] for what that is.
    ///
    /// `bytes` may go on after the blob, as a flash partition does; [`len`](Self::len) says where it ends.
    ///
    /// # Errors
    ///
    /// Any of [`BlobError`] but `Architecture` and `NoRoom`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BlobError> {
        let all = |byte| !bytes.is_empty() && bytes.iter().take(HEADER).all(|&b| b == byte);
        if all(0xff) {
            return Err(BlobError::Erased);
        }
        if all(0) {
            return Err(BlobError::Zeroed);
        }
        let Some((header, _)) = bytes.split_at_checked(HEADER) else {
            return Err(BlobError::NoHeader { got: bytes.len() });
        };
        let magic = header.first_chunk::<8>().copied().unwrap_or_default();
        if magic != MAGIC {
            return Err(BlobError::Magic { got: magic });
        }
        let expected = u32_at(header, at::HEADER_CRC);
        let got = CRC.checksum(header.get(..at::HEADER_CRC).unwrap_or_default());
        if expected != got {
            return Err(BlobError::HeaderCrc { expected, got });
        }
        let version = u16_at(header, at::VERSION);
        if !(1..=VERSION).contains(&version) {
            return Err(BlobError::Version { got: version });
        }
        let expected = u32_at(header, at::TOTAL_LEN) as usize;
        let Some(payload) = bytes.get(HEADER..expected) else {
            return match expected {
                0..HEADER => Err(BlobError::Malformed { what: "its length is below the header's" }),
                _ => Err(BlobError::Truncated { expected, got: bytes.len() }),
            };
        };
        let bytes = bytes.get(..expected).unwrap_or_default();
        let expected = u32_at(header, at::PAYLOAD_CRC);
        let got = CRC.checksum(payload);
        if expected != got {
            return Err(BlobError::PayloadCrc { expected, got });
        }
        let layers = usize::from(u16_at(header, at::LAYERS));
        let sections = usize::from(u16_at(header, at::SECTIONS));
        let blob = Self { bytes, layers, sections };
        blob.check_tables()?;
        Ok(blob)
    }

    fn check_tables(&self) -> Result<(), BlobError> {
        let malformed = |what| Err(BlobError::Malformed { what });
        if self.tables_end() > self.bytes.len() {
            return malformed("its tables reach past its end");
        }
        for i in 0..self.sections {
            let (_, range) = self.section_row(i);
            let Range { start, end } = range.unwrap_or(0..0);
            if start < self.tables_end() || end > self.bytes.len() || start > end {
                return malformed("a section lies outside it");
            }
            if !start.is_multiple_of(SECTION_ALIGN) {
                return malformed("a section does not begin at a multiple of 16");
            }
        }
        let net = self.sizes()?;
        let (params, int8) = (self.section(section::PARAMS), self.section(section::INT8_PARAMS));
        // Each width is that of a layer with parameters, which are as many at least: so no width is larger than
        // what the blob holds, and nobody allocates for one that is.
        if net.params == 0 {
            return malformed("none of its layers has parameters");
        }
        if params.is_none() && int8.is_none() {
            return Err(BlobError::NoSection { what: "f32 parameters" });
        }
        if let Some(params) = params
            && Some(params.len()) != net.params.checked_mul(4)
        {
            return malformed("its parameters are not those of its layers");
        }
        if let Some(int8) = int8 {
            if hidden_layers(self.layers, self.known_layers()).is_err() {
                return malformed("it has int8 parameters, but layers that have no int8 form");
            }
            if section_len(self.known_layers()) != Some(int8.len()) {
                return malformed("its int8 parameters are not those of its layers");
            }
            let mut at = 0;
            for layer in self.known_layers().filter(|l| matches!(l, AnyLayer::Dense(_))) {
                let step = f32::from_bits(u32_at(int8, at));
                if !(step > 0.0 && step.is_finite()) {
                    return malformed("the step of an int8 layer is not a positive number");
                }
                let [inputs, outputs] = layer.sizes();
                at += dense_len(inputs, outputs).unwrap_or(0);
            }
        }
        if let Some(inputs) = self.section(section::INT8_INPUTS)
            && (Some(inputs.len()) != net.inputs.checked_mul(8)
                || inputs.as_chunks::<4>().0.iter().any(|w| !is_finite(f32::from_le_bytes(*w))))
        {
            return malformed("its int8 inputs' scales and shifts are not finite, or not as many");
        }
        if let Some(fill) = self.section(section::FILL)
            && (Some(fill.len()) != net.inputs.checked_mul(4)
                || fill.as_chunks::<4>().0.iter().any(|w| !is_finite(f32::from_le_bytes(*w))))
        {
            return malformed("its fill values are not finite, or not as many as its inputs");
        }
        if let Some(input) = self.input_section()
            && let Err(what) = input.check(net.inputs)
        {
            return malformed(what);
        }
        if self.section(section::TARGETS).is_some() && self.targets().is_none() {
            return malformed("its kind of targets is unknown");
        }
        if let Some(reading) = self.section(section::READING)
            && (reading.iter().filter(|byte| **byte == 0).count() % 2 == 0
                || core::str::from_utf8(reading).is_err())
        {
            return malformed("its settings of reading data are not pairs of UTF-8 words");
        }
        let names = self.targets().unwrap_or(TargetKind::Classes).names(net.outputs);
        if !self.has_names(section::CLASSES, names) {
            return malformed("its class names are not as many as its outputs");
        }
        if !self.has_names(section::FEATURES, net.inputs.saturating_mul(2)) {
            return malformed("its feature names are not as many as its inputs");
        }
        if let Some(provenance) = self.section(section::PROVENANCE)
            && Provenance::from_bytes(provenance).is_none()
        {
            return malformed("its provenance cannot be read, or its loss is unknown");
        }
        if let Some(training) = self.section(section::TRAINING)
            && !TrainingState::fits(training, net.params)
        {
            return malformed("its training state has not the length that it says");
        }
        if [section::PROGRESS, section::SETTINGS].iter().any(|kind| self.text(*kind).is_none()) {
            return malformed("its progress or its settings of training are not UTF-8");
        }
        if let Some(split) = self.section(section::SPLIT)
            && DataSplit::from_bytes(split).is_none()
        {
            return malformed("its split of the data makes no sense");
        }
        if self.section(section::THRESHOLD).is_some() && self.anomaly_threshold().is_none() {
            return malformed("its anomaly threshold makes no sense");
        }
        if let Some(test) = self.section(section::SELF_TEST) {
            let Some(test) = SelfTest::new(test, net.inputs, net.outputs) else {
                return malformed("its self-test does not fit its layers");
            };
            if let Some(layers) = self.section(section::SELF_TEST_LAYERS)
                && test.with_layers(layers, net.hidden).is_none()
            {
                return malformed("its self-test's layers do not fit its layers");
            }
        }
        if let Some(test) = self.section(section::INT8_SELF_TEST)
            && SelfTest::new(test, net.inputs, net.outputs).is_none_or(|test| test.are_features())
        {
            return malformed("its int8 self-test does not fit its layers");
        }
        Ok(())
    }

    /// Whether a section holds the expected number of names, or is missing.
    #[inline(never)] // one copy
    pub(super) fn has_names(&self, kind: u32, expected: usize) -> bool {
        self.section(kind).is_none_or(|names| {
            // A zero byte is no part of another character.
            let zeros = names.iter().filter(|byte| **byte == 0).count();
            zeros + 1 == expected && core::str::from_utf8(names).is_ok()
        })
    }

    /// What the layers come to, found one row at a time.
    #[inline(never)] // for its stack, and one copy
    pub(super) fn sizes(&self) -> Result<Sizes, BlobError> {
        let malformed = |what| BlobError::Malformed { what };
        if self.layers > MAX_LAYERS {
            return Err(malformed("it has too many layers"));
        }
        let mut sizes = Sizes::default();
        for i in 0..self.layers {
            sizes.push(&self.layer(i)?).map_err(|_| malformed("its layers do not fit together"))?;
        }
        if sizes.layers == 0 {
            return Err(malformed("its layers do not fit together"));
        }
        Ok(sizes)
    }

    /// The rows of the layer table, up to one that makes no sense.
    pub(super) fn known_layers(&self) -> impl Iterator<Item = AnyLayer> {
        (0..self.layers).map_while(|i| self.layer(i).ok())
    }

    /// The network that the layer table describes.
    ///
    /// # Errors
    ///
    /// [`BlobError::Malformed`] if its layers do not make one, or are of a kind that this version does not know.
    pub fn network(&self) -> Result<Sequential, BlobError> {
        let layers = (0..self.layers).map(|i| self.layer(i));
        Sequential::collect(layers, |error| BlobError::Malformed {
            what: match error {
                Error::TooManyLayers { .. } => "it has too many layers",
                _ => "its layers do not fit together",
            },
        })
    }

    /// Whether a network has as many parameters as the layers of the blob.
    pub(super) fn check_net(&self, net: &impl Layer) -> Result<(), BlobError> {
        let (described, params) = (self.sizes()?.params, net.params());
        if described == params {
            return Ok(());
        }
        Err(BlobError::of_network(Error::DescribedParams { described, params }))
    }

    /// Row `i` of the layer table: kind, inputs, outputs, setting.
    pub(super) fn layer_row(&self, i: usize) -> [u32; 4] {
        [0, 4, 8, 12].map(|field| u32_at(self.bytes, HEADER + ROW * i + field))
    }

    /// The layer of row `i`.
    pub(super) fn layer(&self, i: usize) -> Result<AnyLayer, BlobError> {
        let [kind, inputs, outputs, setting] = self.layer_row(i);
        let (inputs, outputs) = (inputs as usize, outputs as usize);
        // Finite and not below 0: a leaky ReLU's slope may be 0, an epsilon may not.
        let sound = match kind {
            layer_kind::LEAKY_RELU => setting < f32::INFINITY.to_bits(),
            layer_kind::LAYER_NORM => (1..f32::INFINITY.to_bits()).contains(&setting),
            _ => true,
        };
        if !sound {
            let what = "a slope or an epsilon in its layers makes no sense";
            return Err(BlobError::Malformed { what });
        }
        let setting = f32::from_bits(setting);
        let layer = match kind {
            layer_kind::DENSE => return Ok(AnyLayer::dense(inputs, outputs)),
            layer_kind::DENSE_NO_BIAS => return Ok(AnyLayer::dense_no_bias(inputs, outputs)),
            layer_kind::RELU => AnyLayer::relu(inputs),
            layer_kind::LEAKY_RELU => AnyLayer::leaky_relu(inputs, setting),
            layer_kind::SIGMOID => AnyLayer::sigmoid(inputs),
            layer_kind::TANH => AnyLayer::tanh(inputs),
            layer_kind::LAYER_NORM => AnyLayer::layer_norm(inputs, setting),
            layer_kind::RESCALE => AnyLayer::rescale(inputs),
            _ => return Err(BlobError::Malformed { what: "it has a layer of an unknown kind" }),
        };
        if inputs != outputs {
            let what = "an activation or a normalisation changes its width";
            return Err(BlobError::Malformed { what });
        }
        Ok(layer)
    }

    /// Layers in the table.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.layers
    }

    /// Bytes in the blob.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a blob has a header at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The format version it was written in.
    #[must_use]
    pub fn version(&self) -> u16 {
        u16_at(self.bytes, at::VERSION)
    }

    /// The checksums of header and payload, both found right.
    #[must_use]
    pub fn checksums(&self) -> [u32; 2] {
        [at::HEADER_CRC, at::PAYLOAD_CRC].map(|field| u32_at(self.bytes, field))
    }

    /// [`fingerprint`](crate::fingerprint::fingerprint) of the parameters, as the header has it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        u64_at(self.bytes, at::FINGERPRINT)
    }

    /// FNV-1a of the layer table, as the header has it.
    #[must_use]
    pub fn architecture_fingerprint(&self) -> u64 {
        u64_at(self.bytes, at::ARCHITECTURE)
    }

    /// The f32 parameters in place.
    ///
    /// # Errors
    ///
    /// [`BlobError::NoSection`] if the blob has none, [`BlobError::Misaligned`].
    pub fn params(&self) -> Result<&'a [f32], BlobError> {
        self.in_place(section::PARAMS, "f32 parameters")
    }

    /// The int8 parameters of all dense layers, in place.
    ///
    /// # Errors
    ///
    /// As [`params`](Self::params).
    pub fn int8_params(&self) -> Result<&'a [Int8Row], BlobError> {
        self.in_place(section::INT8_PARAMS, "int8 parameters")
    }

    /// The scale and the shift with which features become int8 inputs, for each of them, if it reads features.
    ///
    /// # Errors
    ///
    /// As [`params`](Self::params).
    pub fn int8_inputs(&self) -> Result<&'a [[f32; 2]], BlobError> {
        self.in_place(section::INT8_INPUTS, "int8 inputs")
    }

    fn in_place<T: AnyBitPattern>(
        &self,
        kind: u32,
        what: &'static str,
    ) -> Result<&'a [T], BlobError> {
        let bytes = self.section(kind).ok_or(BlobError::NoSection { what })?;
        try_cast_slice(bytes).map_err(|error| match error {
            PodCastError::TargetAlignmentGreaterAndInputNotAligned => {
                BlobError::Misaligned { needed: align_of::<T>() }
            }
            _ => BlobError::Malformed { what: "its parameters are not whole numbers of words" },
        })
    }

    /// What its inputs are and how they are read, if it says.
    #[must_use]
    pub fn input(&self) -> Option<Input> {
        Some(self.input_section()?.read())
    }

    /// Whether its inputs are features, in f32, and not pixels or other bytes.
    #[must_use]
    pub fn reads_features(&self) -> bool {
        let input = self.input();
        self.version() > 1
            && input.is_some_and(|input| input.kind == InputKind::Features && input.max.is_none())
    }

    /// How a raw value becomes an input: [`InputMap::PIXELS`] if it does not say.
    #[must_use]
    pub fn input_map(&self) -> InputMap {
        self.input_section().map_or(InputMap::PIXELS, |input| input.map())
    }

    fn input_section(&self) -> Option<InputSection<'a>> {
        let of = |kind, is_version_1| {
            self.section(kind).map(|bytes| InputSection { bytes, is_version_1 })
        };
        of(section::INPUT, false).or_else(|| of(section::INPUT_1, true))
    }

    /// The names of the outputs (the classes, as a rule), in order, if it has them.
    pub fn class_names(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.names(section::CLASSES)
    }

    /// The names and units of the inputs, in order, if it has them.
    pub fn features(&self) -> impl Iterator<Item = Feature<'a>> + Clone + use<'a> {
        self.pairs(section::FEATURES).map(|(name, unit)| Feature { name, unit })
    }

    /// How a data file becomes the inputs, if it says: settings of `picomlp train` and their values.
    pub fn reading(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        self.pairs(section::READING)
    }

    /// What stands in for a missing input, one for each, if inputs may be missing.
    ///
    /// # Errors
    ///
    /// As [`params`](Self::params).
    pub fn fill(&self) -> Result<&'a [f32], BlobError> {
        self.in_place(section::FILL, "fill values")
    }

    fn pairs(&self, kind: u32) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        let (first, second) = (self.names(kind), self.names(kind).skip(1));
        first.step_by(2).zip(second.step_by(2))
    }

    fn names(&self, kind: u32) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let names = self.section(kind).map(core::str::from_utf8);
        names.into_iter().flatten().flat_map(|names| names.split('\0'))
    }

    /// What kind of answer its outputs are, if it says.
    #[must_use]
    pub fn targets(&self) -> Option<TargetKind> {
        TargetKind::from_bytes(self.section(section::TARGETS)?)
    }

    /// Where the model comes from, if it says.
    #[must_use]
    pub fn provenance(&self) -> Option<Provenance<'a>> {
        Provenance::from_bytes(self.section(section::PROVENANCE)?)
    }

    /// How its training data was split, if it says.
    #[must_use]
    pub fn split(&self) -> Option<DataSplit> {
        DataSplit::from_bytes(self.section(section::SPLIT)?)
    }

    /// What training goes on from, in place.
    ///
    /// # Errors
    ///
    /// As [`params`](Self::params): a model that is no checkpoint has none.
    pub fn checkpoint(&self) -> Result<Checkpoint<'a>, BlobError> {
        let what = "training state: it is a model, not a checkpoint";
        let training = self.section(section::TRAINING).ok_or(BlobError::NoSection { what })?;
        let [progress, settings] =
            [section::PROGRESS, section::SETTINGS].map(|kind| self.text(kind).unwrap_or_default());
        let training = TrainingState::read(training, || self.params())?;
        Ok(Checkpoint { training, progress, settings })
    }

    /// The text of a section, empty if there is none; nothing if it is not UTF-8.
    fn text(&self, kind: u32) -> Option<&'a str> {
        core::str::from_utf8(self.section(kind).unwrap_or_default()).ok()
    }

    /// From which score on a sample is an anomaly, if it says.
    #[must_use]
    pub fn anomaly_threshold(&self) -> Option<AnomalyThreshold> {
        AnomalyThreshold::from_bytes(self.section(section::THRESHOLD)?)
    }

    /// The loss that it was trained with; cross-entropy if it does not say where the model comes from.
    #[must_use]
    pub fn loss_kind(&self) -> LossKind {
        self.provenance().map_or(LossKind::CrossEntropy, |provenance| provenance.loss)
    }

    /// The self-test vectors, if it has some.
    #[must_use]
    pub fn self_test(&self) -> Option<SelfTest<'a>> {
        let net = self.sizes().ok()?;
        let test = SelfTest::new(self.section(section::SELF_TEST)?, net.inputs, net.outputs)?;
        match self.section(section::SELF_TEST_LAYERS) {
            Some(layers) => test.with_layers(layers, net.hidden),
            None => Some(test),
        }
    }

    /// The int8 self-test vectors, if it has some; their expected words are i32 logits.
    #[must_use]
    pub fn int8_self_test(&self) -> Option<SelfTest<'a>> {
        let net = self.sizes().ok()?;
        SelfTest::new(self.section(section::INT8_SELF_TEST)?, net.inputs, net.outputs)
    }

    fn tables_end(&self) -> usize {
        HEADER + ROW * (self.layers + self.sections)
    }

    /// The first section of this kind. Kinds that nobody asks for are passed over.
    pub(super) fn section(&self, kind: u32) -> Option<&'a [u8]> {
        let rows = (0..self.sections).map(|i| self.section_row(i));
        let (_, range) = rows.into_iter().find(|(of, _)| *of == kind)?;
        self.bytes.get(range?)
    }

    /// Row `i` of the section table: kind, and the bytes unless they pass the end of the address space.
    fn section_row(&self, i: usize) -> (u32, Option<Range<usize>>) {
        let row = HEADER + ROW * (self.layers + i);
        let [kind, start, len] = [0, 4, 8].map(|field| u32_at(self.bytes, row + field));
        let range = start.checked_add(len).map(|end| start as usize..end as usize);
        (kind, range)
    }
}
