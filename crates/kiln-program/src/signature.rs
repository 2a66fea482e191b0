//! What goes in and out: of a graph, with named dimensions, and of one program, with sizes.

use kiln_ir::dim::DimEnv;
use kiln_ir::{DType, Diagnostic, Diagnostics, Func, Initializer, InputKind, OutputKind, Shape, TensorType};

/// What goes in and out of a graph.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Signature {
    /// Feeds, in order.
    pub inputs: Vec<Port>,
    /// Fetches, in order.
    pub outputs: Vec<Port>,
    /// Variables, in order.
    pub variables: Vec<Variable>,
}

/// A feed or fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// The shape as the user wrote it, with named dimensions.
    pub shape: Shape,
}

/// State kept between runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Initializer,
    /// True when a run may write it.
    pub updated: bool,
}

/// What goes in and out of a program, which was compiled for concrete sizes.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BoundSignature {
    /// Feeds, in order.
    pub inputs: Vec<BoundPort>,
    /// Fetches, in order.
    pub outputs: Vec<BoundPort>,
    /// Variables, in order.
    pub variables: Vec<BoundVariable>,
    /// The values of the named dimensions.
    pub dims: DimEnv,
}

/// A feed or fetch of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundPort {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
}

/// A variable of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundVariable {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
    /// True when this program writes it. (For some sizes a variable may turn out to keep its value.)
    pub updated: bool,
}

impl Port {
    /// The type, with named dimensions.
    pub fn ty(&self) -> TensorType {
        TensorType::new(self.dtype, self.shape.clone())
    }

    /// Whether these are sizes of the shape, as far as its fixed dimensions say.
    pub fn fits(&self, sizes: &[usize]) -> bool {
        let fits = |(d, &n): (&kiln_ir::Dim, &usize)| d.as_const().is_none_or(|c| c == n as i64);
        self.shape.rank() == sizes.len() && self.shape.iter().zip(sizes).all(fits)
    }

    fn bind(&self, dims: &DimEnv) -> Result<BoundPort, Diagnostics> {
        let shape = self.shape.substitute(dims);
        let Some(sizes) = shape.as_sizes() else {
            let what = format!("the shape {shape} of \"{}\" is not fully known", self.name);
            let help = "bind every named dimension before compiling";
            return Err(Diagnostic::new("program.static", what).help(help).into());
        };
        Ok(BoundPort { name: self.name.clone(), dtype: self.dtype, shape: sizes.to_vec() })
    }
}

impl BoundPort {
    /// Bytes of a value; the size is one that [`crate::Program::check`] accepts.
    pub fn bytes(&self) -> u64 {
        byte_size(self.dtype, &self.shape)
    }
}

impl BoundVariable {
    /// Bytes of its value; the size is one that [`crate::Program::check`] accepts.
    pub fn bytes(&self) -> u64 {
        byte_size(self.dtype, &self.shape)
    }
}

fn byte_size(dtype: DType, shape: &[usize]) -> u64 {
    (shape.iter().product::<usize>() * dtype.size()) as u64
}

impl Signature {
    /// The signature of a function; its variables have fixed shapes, as the verifier makes sure.
    pub fn of(func: &Func) -> Signature {
        let mut signature = Signature::default();
        let mut updated = vec![false; func.inputs.len()];
        let port =
            |name: &str, ty: &TensorType| Port { name: name.to_owned(), dtype: ty.dtype, shape: ty.shape.clone() };
        for output in &func.outputs {
            match output.kind {
                OutputKind::Fetch => signature.outputs.push(port(&output.name, func.ty(output.value))),
                OutputKind::Update(input) => updated[input] = true,
            }
        }
        for (input, updated) in func.inputs.iter().zip(updated) {
            match &input.kind {
                InputKind::Feed => signature.inputs.push(port(&input.name, &input.ty)),
                InputKind::Variable(init) => signature.variables.push(Variable {
                    name: input.name.clone(),
                    dtype: input.ty.dtype,
                    shape: input.ty.shape.as_sizes().map(|s| s.to_vec()).unwrap_or_default(),
                    init: init.clone(),
                    updated,
                }),
            }
        }
        signature
    }

    /// The signature for these values of the named dimensions.
    ///
    /// # Errors
    /// A shape that is not fully known then.
    pub fn bind(&self, dims: &DimEnv) -> Result<BoundSignature, Diagnostics> {
        let ports = |ports: &[Port]| ports.iter().map(|p| p.bind(dims)).collect::<Result<Vec<_>, _>>();
        let variable = |v: &Variable| BoundVariable {
            name: v.name.clone(),
            dtype: v.dtype,
            shape: v.shape.clone(),
            updated: v.updated,
        };
        Ok(BoundSignature {
            inputs: ports(&self.inputs)?,
            outputs: ports(&self.outputs)?,
            variables: self.variables.iter().map(variable).collect(),
            dims: dims.clone(),
        })
    }

    /// Checks that a program has these ports and variables, but for sizes that depend on named dimensions: feeds, variables and
    /// sessions are checked against this signature once, so all programs have to agree with it.
    ///
    /// # Errors
    /// Says what differs.
    pub fn admits(&self, program: &BoundSignature) -> Result<(), String> {
        let ports = |p: &[BoundPort], s: &[Port]| {
            let same = |(p, s): (&BoundPort, &Port)| p.name == s.name && p.dtype == s.dtype && s.fits(&p.shape);
            p.len() == s.len() && p.iter().zip(s).all(same)
        };
        let variable = |(p, s): (&BoundVariable, &Variable)| {
            p.name == s.name && p.dtype == s.dtype && p.shape == s.shape && p.updated <= s.updated
        };
        let variables = program.variables.len() == self.variables.len()
            && program.variables.iter().zip(&self.variables).all(variable);
        let checks = [
            ("inputs", ports(&program.inputs, &self.inputs)),
            ("outputs", ports(&program.outputs, &self.outputs)),
            ("variables", variables),
        ];
        match checks.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(format!("a program has other {what} than the executable")),
            None => Ok(()),
        }
    }
}

impl BoundSignature {
    /// This signature with variables marked as updated where another one (of the same variables) has them so.
    #[must_use]
    pub fn updating(mut self, other: &BoundSignature) -> BoundSignature {
        self.variables.iter_mut().zip(&other.variables).for_each(|(v, other)| v.updated = other.updated);
        self
    }
}
