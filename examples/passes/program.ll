target triple = "x86_64-unknown-linux-gnu"

define i32 @small(i32 %x) {
  %y = add i32 %x, 1
  ret i32 %y
}

define i32 @large(i32 %x) {
  %a = call i32 @print(i32 %x)
  %b = call i32 @print(i32 %a)
  %c = call i32 @print(i32 %b)
  %d = call i32 @print(i32 %c)
  ret i32 %d
}

declare i32 @print(i32)

define i32 @main(i32 %x) {
  %a = call i32 @small(i32 %x)
  %b = call i32 @large(i32 %a)
  %c = call i32 @large(i32 %b)
  ret i32 %c
}
