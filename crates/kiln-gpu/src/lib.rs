//! GPU code generation: loop IR to PTX.
