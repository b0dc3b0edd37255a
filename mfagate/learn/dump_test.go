package learn_test

import (
	"fmt"
	"reflect"
	"strings"
)

// dump writes all that can be reached from v: every text and number, behind every pointer.
func dump(v any) string {
	var out strings.Builder
	walk(&out, reflect.ValueOf(v), make(map[uintptr]bool))
	return out.String()
}

func walk(out *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		walk(out, v.Elem(), seen)
	case reflect.Interface:
		walk(out, v.Elem(), seen)
	case reflect.Struct:
		for _, field := range v.Fields() {
			walk(out, field, seen)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(out, v.Index(i), seen)
		}
		fmt.Fprint(out, "\n")
	case reflect.Map:
		for m := v.MapRange(); m.Next(); {
			walk(out, m.Key(), seen)
			walk(out, m.Value(), seen)
		}
	case reflect.Uint8:
		fmt.Fprintf(out, "%c", rune(v.Uint()))
	case reflect.String:
		fmt.Fprintf(out, "%s\n", v.String())
	}
}
