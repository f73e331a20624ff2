"""tosa as LLVM 22 and torch-mlir print it, read by a parser that writes it otherwise."""

from __future__ import annotations

from featurizers.mlir.bindings import Parser
from featurizers.mlir.older import readable

OLDER = """func.func @f(%a: tensor<4x8xf32>) -> tensor<16x2x1xf32> {
  %0 = tosa.transpose %a {perms = array<i32: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %1 = tosa.const_shape  {values = dense<[16, 2, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %2 = tosa.reshape %0, %1 : (tensor<8x4xf32>, !tosa.shape<3>) -> tensor<16x2x1xf32>
  %3 = tosa.reduce_max %2 {axis = 1 : i32} : (tensor<16x2x1xf32>) -> tensor<16x1x1xf32>
  %4 = tosa.add %2, %3 : (tensor<16x2x1xf32>, tensor<16x1x1xf32>) -> tensor<16x2x1xf32>
  return %4 : tensor<16x2x1xf32>
}
"""


def test_attributes_in_a_dictionary_are_written_generically_and_lines_stay_where_they_are():
    written = readable(OLDER)
    assert '%0 = "tosa.transpose"(%a) <{perms = array<i32: 1, 0>}> : (tensor<4x8xf32>)' in written
    assert '%1 = "tosa.const_shape"() <{values = dense<[16, 2, 1]> : tensor<3xindex>}> : ()' in written
    assert written.count("\n") == OLDER.count("\n")
    assert readable(written) == written
    Parser().parse(OLDER)


def test_a_text_without_the_dialect_is_not_touched():
    text = 'func.func @f() { "test.op"() {a = 1 : i32} : () -> () return }'
    assert readable(text) is text
