/* libsystemd as Swift sees it. Swift's importer passes over variadic functions and function-like macros; what we
 * need of them is wrapped here, header-only. Everything else is imported as it is. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

/* One vtable entry each (sd_bus_add_object_vtable(3)), so that a Swift array can be built of them. Every entry is
 * zeroed first: sd-bus-vtable.h asks for it. The strings stay with the caller for as long as the vtable is in use.
 * `names` holds the parameters' names, each ended by a NUL, the last one followed by a second NUL. */
static inline sd_bus_vtable lo_vtable_start(uint64_t flags) {
    sd_bus_vtable entry;
    memset(&entry, 0, sizeof entry);
    entry.type = _SD_BUS_VTABLE_START;
    entry.flags = flags;
    entry.x.start.element_size = sizeof(sd_bus_vtable);
    entry.x.start.features = _SD_BUS_VTABLE_PARAM_NAMES;
    entry.x.start.vtable_format_reference = &sd_bus_object_vtable_format;
    return entry;
}

static inline sd_bus_vtable lo_vtable_method(const char *member, const char *signature, const char *result,
                                             const char *names, sd_bus_message_handler_t handler, uint64_t flags) {
    sd_bus_vtable entry;
    memset(&entry, 0, sizeof entry);
    entry.type = _SD_BUS_VTABLE_METHOD;
    entry.flags = flags;
    entry.x.method.member = member;
    entry.x.method.signature = signature;
    entry.x.method.result = result;
    entry.x.method.names = names;
    entry.x.method.handler = handler;
    return entry;
}

static inline sd_bus_vtable lo_vtable_signal(const char *member, const char *signature, const char *names,
                                             uint64_t flags) {
    sd_bus_vtable entry;
    memset(&entry, 0, sizeof entry);
    entry.type = _SD_BUS_VTABLE_SIGNAL;
    entry.flags = flags;
    entry.x.signal.member = member;
    entry.x.signal.signature = signature;
    entry.x.signal.names = names;
    return entry;
}

static inline sd_bus_vtable lo_vtable_property(const char *member, const char *signature,
                                               sd_bus_property_get_t getter, uint64_t flags) {
    sd_bus_vtable entry;
    memset(&entry, 0, sizeof entry);
    entry.type = _SD_BUS_VTABLE_PROPERTY;
    entry.flags = flags;
    entry.x.property.member = member;
    entry.x.property.signature = signature;
    entry.x.property.get = getter;
    return entry;
}

static inline sd_bus_vtable lo_vtable_end(void) {
    sd_bus_vtable entry;
    memset(&entry, 0, sizeof entry);
    entry.type = _SD_BUS_VTABLE_END;
    return entry;
}
/* Counts the calls of each connection while the event loop cannot keep up with them. In C, since what it turns away must cost
   next to nothing. */
struct lo_gate {
    uint64_t busy_since; /* microseconds; 0: the loop has nothing to do */
    uint64_t slot;
    uint32_t seed;
    uint32_t active; /* connections that called in this slot or shortly before */
    uint8_t counts[1 << 16];
};

enum { LO_GATE_SLOT = 100000, LO_GATE_PATIENCE = 50000, LO_GATE_CALLS = 200, LO_GATE_LEAST = 10 };

static inline void lo_gate_init(struct lo_gate *gate, uint32_t seed) {
    memset(gate, 0, sizeof *gate);
    gate->seed = seed;
}

/* Whether the loop has just begun to be busy; it is until lo_gate_idle(). */
static inline int lo_gate_begins(struct lo_gate *gate, uint64_t now) {
    if (gate->busy_since != 0) return 0;
    gate->busy_since = now;
    return 1;
}

/* Since when it was busy; 0: it was not. */
static inline uint64_t lo_gate_idle(struct lo_gate *gate) {
    uint64_t since = gate->busy_since;
    gate->busy_since = 0;
    return since;
}

/* Whether one more call of `sender` is served: always while the loop keeps up, else as many as are fair. */
static inline int lo_gate_passes(struct lo_gate *gate, const char *sender, uint64_t now) {
    uint64_t slot = now / LO_GATE_SLOT;
    if (slot != gate->slot) {
        /* Who goes on and on has a count that stays high, and is among those who share. */
        gate->active = 0;
        for (uint32_t i = 0; i < sizeof gate->counts; i++) {
            gate->counts[i] = slot == gate->slot + 1 ? gate->counts[i] >> 1 : 0;
            gate->active += gate->counts[i] != 0;
        }
        gate->slot = slot;
    }
    uint32_t hash = gate->seed;
    for (; *sender; sender++) hash = (hash ^ (uint8_t)*sender) * 16777619u;
    uint8_t *count = &gate->counts[(hash ^ hash >> 16) & 0xffff];
    if (*count == 0) gate->active++;
    if (*count < 255) ++*count;
    if (now - gate->busy_since < LO_GATE_PATIENCE) return 1;
    /* This one is among the active. */
    uint32_t limit = LO_GATE_CALLS / (gate->active ? gate->active : 1);
    return *count <= (limit > LO_GATE_LEAST ? limit : LO_GATE_LEAST);
}

