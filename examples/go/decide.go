// The same as ../c/decide.c, from Go:
//
//	go build decide.go
//	./decide policy.toml GET shop.example.com /orders/7
package main

/*
#cgo pkg-config: luigi
#include <luigi.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"
)

// Memory of C's: structs that lead to it may be handed over.
type texts []unsafe.Pointer

func (held *texts) text(s string) C.luigi_text {
	data := C.CString(s)
	*held = append(*held, unsafe.Pointer(data))
	return C.luigi_text{data: data, length: C.size_t(len(s))}
}

func (held *texts) free() {
	for _, pointer := range *held {
		C.free(pointer)
	}
}

func open(policy string) (C.luigi_engine, error) {
	var held texts
	defer held.free()
	var options C.luigi_engine_options
	var failure C.luigi_error
	var engine C.luigi_engine
	options.struct_size = C.sizeof_luigi_engine_options
	options.policy = held.text(policy)
	options.mode = C.LUIGI_MODE_ENFORCE
	failure.struct_size = C.sizeof_luigi_error
	if C.luigi_engine_open(&options, &engine, &failure) != C.LUIGI_STATUS_OK {
		defer C.luigi_error_free(&failure)
		return engine, errors.New(C.GoString(failure.message.data))
	}
	return engine, nil
}

// One context serves one goroutine at a time, whatever thread that runs on.
func decide(context C.luigi_context, method, host, target string) (C.luigi_decision, error) {
	var held texts
	defer held.free()
	var request C.luigi_request
	var decision C.luigi_decision
	request.struct_size = C.sizeof_luigi_request
	request.method = held.text(method)
	request.host = held.text(host)
	request.target = held.text(target)
	request.upgrade = C.LUIGI_UPGRADE_NO
	decision.struct_size = C.sizeof_luigi_decision
	if status := C.luigi_decide(context, &request, &decision); status != C.LUIGI_STATUS_OK {
		return decision, errors.New("cannot decide: " + C.GoString(C.luigi_status_name(C.int32_t(status))))
	}
	return decision, nil
}

func run(words []string) (bool, error) {
	if len(words) != 4 {
		return false, errors.New("usage: decide POLICY METHOD HOST TARGET")
	}
	engine, err := open(words[0])
	if err != nil {
		return false, err
	}
	defer C.luigi_engine_close(engine)
	var context C.luigi_context
	C.luigi_context_open(engine, &context)
	defer C.luigi_context_close(context)
	decision, err := decide(context, words[1], words[2], words[3])
	if err != nil {
		return false, err
	}
	passes := decision.outcome == C.LUIGI_PASS
	word := map[bool]string{true: "pass: ", false: "refuse: "}[passes]
	line := word + C.GoString(C.luigi_reason_name(decision.reason))
	if rule := C.GoString(&decision.rule[0]); rule != "" {
		line += " " + rule
	}
	fmt.Println(line)
	return passes, nil
}

func main() {
	passes, err := run(os.Args[1:])
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case !passes:
		os.Exit(1)
	}
}
