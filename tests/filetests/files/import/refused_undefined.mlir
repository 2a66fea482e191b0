// test import
// A value that nobody defined.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.add %x, %z : tensor<2xi32>  // error: %z is not defined
  return
}
