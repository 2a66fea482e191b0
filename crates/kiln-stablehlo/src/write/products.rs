//! Matrix products and convolutions.

use super::Precision;
use super::elementwise::names;
use super::emit::{Val, Writer};
use super::types::{arrow, join};
use kiln_ir::op::{ConvDims, DotDims};
use kiln_ir::{DType, Node};

impl Writer<'_> {
    /// The precision to ask for with operands of this type; none where the default says the same.
    fn precision(&self, dtype: DType) -> Option<&'static str> {
        let wide = matches!(dtype, DType::F32 | DType::F64 | DType::C64 | DType::C128);
        (wide && self.options.precision != Precision::Default).then(|| self.options.precision.word())
    }

    pub(super) fn dot_general(&mut self, node: &Node, x: &[Val], dims: &DotDims) -> Vec<Val> {
        let mut attrs = String::new();
        if !dims.lhs_batch.is_empty() {
            attrs.push_str(&format!(", batching_dims = [{}] x [{}]", join(&dims.lhs_batch), join(&dims.rhs_batch)));
        }
        let (l, r) = (join(&dims.lhs_contract), join(&dims.rhs_contract));
        attrs.push_str(&format!(", contracting_dims = [{l}] x [{r}]"));
        if let Some(word) = self.precision(x[0].ty.dtype) {
            attrs.push_str(&format!(", precision = [{word}, {word}]"));
        }
        self.full(node, x, "dot_general", &attrs)
    }

    pub(super) fn convolution(&mut self, node: &Node, x: &[Val], c: &ConvDims) -> Vec<Val> {
        let side = |spatial: &[usize], first: (usize, &str), second: (usize, &str)| {
            let mut words = vec![String::new(); spatial.len() + 2];
            words[first.0] = first.1.to_owned();
            words[second.0] = second.1.to_owned();
            spatial.iter().enumerate().for_each(|(i, &d)| words[d] = i.to_string());
            format!("[{}]", words.join(", "))
        };
        let input = side(&c.input_spatial, (c.input_batch, "b"), (c.input_feature, "f"));
        let kernel = side(&c.kernel_spatial, (c.kernel_input_feature, "i"), (c.kernel_output_feature, "o"));
        let output = side(&c.output_spatial, (c.output_batch, "b"), (c.output_feature, "f"));
        let w = &c.window;
        let pad = join(w.iter().map(|d| format!("[{}, {}]", d.pad_low, d.pad_high)));
        let mut window = vec![
            format!("stride = [{}]", join(w.iter().map(|d| d.stride))),
            format!("pad = [{pad}]"),
            format!("lhs_dilate = [{}]", join(w.iter().map(|d| d.base_dilation))),
            format!("rhs_dilate = [{}]", join(w.iter().map(|d| d.window_dilation))),
        ];
        if w.iter().any(|d| d.reversed) {
            window.push(format!("reverse = [{}]", join(w.iter().map(|d| d.reversed))));
        }
        let window = if w.is_empty() { String::new() } else { window.join(", ") };
        let mut attrs = format!(
            "batch_group_count = {} : i64, feature_group_count = {} : i64",
            c.batch_group_count, c.feature_group_count
        );
        if let Some(word) = self.precision(x[0].ty.dtype) {
            let one = format!("#stablehlo<precision {word}>");
            attrs.push_str(&format!(", precision_config = [{one}, {one}]"));
        }
        let types = arrow(&[&x[0], &x[1]], &node.types);
        let text = format!(
            "stablehlo.convolution({}) dim_numbers = {input}x{kernel}->{output}, window = {{{window}}} {{{attrs}}} : {types}",
            names(x)
        );
        self.result(&node.types[0], &text)
    }
}
