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
