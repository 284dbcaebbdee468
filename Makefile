# Two commands on a fresh Debian with the Swift toolchain:
#   make demo     lightsout at work in a machine of its own, in namespaces of this one
#   make test     build and test everything

# Where things go. Only /usr and /etc are looked into by D-Bus, polkit and systemd-sleep, so their files always go there.
PREFIX     = /usr
SYSCONFDIR = /etc
DESTDIR    =
BINDIR     = $(PREFIX)/bin
SBINDIR    = $(PREFIX)/sbin
LIBDIR     = $(PREFIX)/lib
SHAREDIR   = $(PREFIX)/share

# Which binaries are installed, and how they are made smaller (STRIP= leaves them as they are).
BUILD = .build/release
STRIP = strip

SWIFTFLAGS = -c release --static-swift-stdlib

.PHONY: help setup build install uninstall demo check lint format test test-vm bench clean

help:
	@echo 'make demo        show lightsout at work in a machine in namespaces (root; leaves nothing behind)'
	@echo 'make test        build and run all tests; those that need more privileges than there are are skipped, by name'
	@echo 'make check       lint and unit tests: no root, no machine (make lint, make format: CONTRIBUTING.md)'
	@echo 'make test-vm     real suspend and wake-up in a virtual machine'
	@echo 'make build       release build, in $(BUILD)'
	@echo 'make install     install what was built; DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR)'
	@echo 'make uninstall   remove it; the configuration, the scripts and the state stay'
	@echo 'make bench       measure it against what systemd itself takes'
	@echo 'make setup       install the Debian packages that all this needs (done by the others as necessary)'
	@echo 'make clean       remove what was built'

setup:
	@tools/setup

build: setup
	swift build $(SWIFTFLAGS)

# --- installation: by what lies in the folders, so that a new unit or man page needs nothing here ---------------------------

units       = $(filter-out $(activation),$(wildcard $(addprefix systemd/*.,service socket target timer path slice)))
activation  = $(wildcard systemd/org.*.service)
policies    = $(wildcard systemd/org.*.conf)
actions     = $(wildcard systemd/*.policy)
catalogs    = $(wildcard systemd/*.catalog)
# Drop-ins of others' units, each in a folder called as there; and what is wanted at boot although nobody enabled it.
dropins     = $(filter-out systemd/tmpfiles.d/%,$(wildcard systemd/*.d/*.conf))
wanted      = systemd/lightsout-reboot.service
sleephooks  = $(wildcard systemd/system-sleep/*)
tmpfiles    = $(wildcard systemd/tmpfiles.d/*.conf)
needrestart = $(wildcard etc/needrestart/conf.d/*.conf)
samples     = $(wildcard etc/lightsout/backup/*.sample)
manuals     = $(wildcard docs/man/*.[1-8])
schemas     = $(wildcard docs/*.schema.json)

# The ways of going off that the hardware clock's alarm is set for: systemd's own units want ours, which nobody has to enable.
ways_off    = hibernate hybrid-sleep suspend-then-hibernate poweroff

unitdir     = $(LIBDIR)/systemd/system
catalogdir  = $(LIBDIR)/systemd/catalog
sleepdir    = /usr/lib/systemd/system-sleep
tmpfilesdir = $(LIBDIR)/tmpfiles.d
mandir      = $(SHAREDIR)/man
schemadir   = $(SHAREDIR)/lightsout
bashdir     = $(SHAREDIR)/bash-completion/completions
zshdir      = $(SHAREDIR)/zsh/site-functions
fishdir     = $(SHAREDIR)/fish/vendor_completions.d
configdir   = $(SYSCONFDIR)/lightsout
needrestartdir = /etc/needrestart/conf.d

# $(call put,MODE,FILES,DIRECTORY)
put = $(if $(strip $(2)),install -d '$(DESTDIR)$(3)' && install -m $(1) $(2) '$(DESTDIR)$(3)/',true)
# The same for files that name the binaries, which they do by the paths of PREFIX=/usr.
put_with_paths = $(foreach file,$(2),$(call put,$(1),$(file),$(3)) && \
	sed -i -e 's|/usr/bin/lightsout\b|$(BINDIR)/lightsout|g' -e 's|/usr/sbin/lightsoutd\b|$(SBINDIR)/lightsoutd|g' \
	'$(DESTDIR)$(3)/$(notdir $(file))' &&) true

install:
	@test -x $(BUILD)/lightsout && test -x $(BUILD)/lightsoutd || \
		{ echo 'install: nothing is built in $(BUILD) yet; first: make build' >&2; exit 1; }
	@install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(SBINDIR)'
	install -m 755 $(BUILD)/lightsout '$(DESTDIR)$(BINDIR)/lightsout.new'
	install -m 755 $(BUILD)/lightsoutd '$(DESTDIR)$(SBINDIR)/lightsoutd.new'
	$(if $(STRIP),$(STRIP) '$(DESTDIR)$(BINDIR)/lightsout.new' '$(DESTDIR)$(SBINDIR)/lightsoutd.new')
	mv '$(DESTDIR)$(BINDIR)/lightsout.new' '$(DESTDIR)$(BINDIR)/lightsout'
	mv '$(DESTDIR)$(SBINDIR)/lightsoutd.new' '$(DESTDIR)$(SBINDIR)/lightsoutd'
	$(call put_with_paths,644,$(units),$(unitdir))
	$(foreach way,$(ways_off),install -d '$(DESTDIR)$(unitdir)/systemd-$(way).service.wants' && ln -sf \
		../lightsout-wakealarm@.service '$(DESTDIR)$(unitdir)/systemd-$(way).service.wants/lightsout-wakealarm@$(way).service' &&) true
	$(foreach file,$(dropins),$(call put,644,$(file),$(unitdir)/$(notdir $(patsubst %/,%,$(dir $(file))))) &&) true
	install -d '$(DESTDIR)$(unitdir)/multi-user.target.wants'
	ln -sf $(foreach unit,$(notdir $(wanted)),../$(unit)) '$(DESTDIR)$(unitdir)/multi-user.target.wants/'
	$(call put,755,$(sleephooks),$(sleepdir))
	$(call put_with_paths,644,$(activation),/usr/share/dbus-1/system-services)
	$(call put,644,$(policies),/usr/share/dbus-1/system.d)
	$(call put,644,$(actions),/usr/share/polkit-1/actions)
	$(call put,644,$(catalogs),$(catalogdir))
	$(call put,644,$(tmpfiles),$(tmpfilesdir))
	$(call put,644,$(needrestart),$(needrestartdir))
	$(foreach section,1 2 3 4 5 6 7 8,$(call put,644,$(filter %.$(section),$(manuals)),$(mandir)/man$(section)) &&) true
	$(call put,644,$(schemas),$(schemadir))
	$(call put,644,$(wildcard completions/lightsout),$(bashdir))
	$(call put,644,$(wildcard completions/_lightsout),$(zshdir))
	$(call put,644,$(wildcard completions/lightsout.fish),$(fishdir))
	install -d -m 755 '$(DESTDIR)$(configdir)' '$(DESTDIR)$(configdir)/backup' '$(DESTDIR)$(configdir)/backups.d'
	$(call put,644,$(samples),$(configdir)/backup)
	$(if $(wildcard etc/lightsout/lightsout.yaml),test -e '$(DESTDIR)$(configdir)/lightsout.yaml' || \
		install -m 644 etc/lightsout/lightsout.yaml '$(DESTDIR)$(configdir)/')
	$(call tell_system)

uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/lightsout' '$(DESTDIR)$(SBINDIR)/lightsoutd'
	rm -f $(foreach file,$(notdir $(units)),'$(DESTDIR)$(unitdir)/$(file)')
	rm -f $(foreach way,$(ways_off),'$(DESTDIR)$(unitdir)/systemd-$(way).service.wants/lightsout-wakealarm@$(way).service')
	rmdir --ignore-fail-on-non-empty $(foreach way,$(ways_off),'$(DESTDIR)$(unitdir)/systemd-$(way).service.wants')
	rm -f $(foreach file,$(dropins),'$(DESTDIR)$(unitdir)/$(patsubst systemd/%,%,$(file))')
	rm -f $(foreach file,$(notdir $(wanted)),'$(DESTDIR)$(unitdir)/multi-user.target.wants/$(file)')
	rmdir --ignore-fail-on-non-empty $(foreach file,$(dropins),'$(DESTDIR)$(unitdir)/$(patsubst systemd/%/,%,$(dir $(file)))') 2>/dev/null || true
	rm -f $(foreach file,$(notdir $(sleephooks)),'$(DESTDIR)$(sleepdir)/$(file)')
	rm -f $(foreach file,$(notdir $(activation)),'$(DESTDIR)/usr/share/dbus-1/system-services/$(file)')
	rm -f $(foreach file,$(notdir $(policies)),'$(DESTDIR)/usr/share/dbus-1/system.d/$(file)')
	rm -f $(foreach file,$(notdir $(actions)),'$(DESTDIR)/usr/share/polkit-1/actions/$(file)')
	rm -f $(foreach file,$(notdir $(catalogs)),'$(DESTDIR)$(catalogdir)/$(file)')
	rm -f $(foreach file,$(notdir $(tmpfiles)),'$(DESTDIR)$(tmpfilesdir)/$(file)')
	rm -f $(foreach file,$(notdir $(needrestart)),'$(DESTDIR)$(needrestartdir)/$(file)')
	rm -f $(foreach file,$(notdir $(manuals)),'$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(file)))/$(file)')
	rm -f '$(DESTDIR)$(bashdir)/lightsout' '$(DESTDIR)$(zshdir)/_lightsout' '$(DESTDIR)$(fishdir)/lightsout.fish'
	rm -rf '$(DESTDIR)$(schemadir)'
	rm -f $(foreach file,$(notdir $(samples)),'$(DESTDIR)$(configdir)/backup/$(file)')
	$(call tell_system)

# Nothing of this machine's is told about an installation into a tree.
tell_system = $(if $(DESTDIR),,journalctl --update-catalog; test ! -d /run/systemd/system || systemctl daemon-reload; \
	test ! -d /run/systemd/system || busctl --quiet call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig)

# --- showing, testing, measuring ---------------------------------------------------------------------------------------------

demo: build
	@Tests/MachineTests/machine/demo

lint:
	@tools/lint

format:
	swift format --in-place --parallel $$(git ls-files '*.swift')

# With debug binaries, which an edit rebuilds in seconds.
check: setup lint
	swift build --build-tests
	swift test --skip-build --disable-xctest --skip MachineTests

# What is tested in the machine is the release build, as it is installed.
test: build
	LIGHTSOUT_BUILD='$(CURDIR)/$(BUILD)' swift test --disable-xctest

test-vm: build
	@Tests/VirtualMachine/run

bench: build
	@Benchmarks/run

clean:
	rm -rf .build
