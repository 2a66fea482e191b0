// test import
// A size that is computed has to be a constant.
func.func @f(%n: tensor<1xi32>) -> tensor<?xi32> {
  %r = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>  // error: not constants
  return %r : tensor<?xi32>
}
