# fish completion for lightsout(1)

set -l commands status history next why start stop pause resume sleep hold check reload calendar run help

function __lightsout_backups
    lightsout names 2>/dev/null
end

complete -c lightsout -f

complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a status -d 'Show how the backups stand'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a history -d 'Show the results of backups, newest first'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a next -d 'Show what runs when, and what of it wakes the machine'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a why -d 'Show what keeps the machine awake'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a start -d 'Start a backup now, and wait for its result'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a stop -d 'Stop the run of a backup that is under way'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a pause -d 'Start no backup by schedule for a while'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a resume -d 'End a pause'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a sleep -d 'Have the machine sleep as soon as no backup runs'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a hold -d 'Keep the machine awake while a command runs'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check the configuration and the scripts'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Have lightsoutd read its configuration anew'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a calendar -d 'Show what calendar expressions mean'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a run -d 'Run a backup under a standby lock, as its unit does'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -a help -d 'Show help'

complete -c lightsout -s h -l help -d 'Show help'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -l version -d 'Show the version'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -s r -l report_backup_started -d 'Report that a backup has begun'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -l report-backup-started -d 'Report that a backup has begun'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -x -s p -l report_backup_progress -d 'Report its progress in percent'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -x -l report-backup-progress -d 'Report its progress in percent'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -x -s f -l report_backup_finished -a '0\tsuccess 1\tfailed 2\taborted 3\twarnings 4\tmissed 5\twrong\ configuration 255\tunknown' -d 'Report its result'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -x -l report-backup-finished -a '0\tsuccess 1\tfailed 2\taborted 3\twarnings 4\tmissed 5\twrong\ configuration 255\tunknown' -d 'Report its result'
complete -c lightsout -n "not __fish_seen_subcommand_from $commands" -x -l name -a '(__lightsout_backups)' -d 'The backup that the report is about'

complete -c lightsout -n '__fish_seen_subcommand_from status history next start stop pause resume run' -a '(__lightsout_backups)' -d Backup
complete -c lightsout -n "__fish_seen_subcommand_from status history next why check calendar; or not __fish_seen_subcommand_from $commands" -l json -d 'Print JSON for programs'
complete -c lightsout -n '__fish_seen_subcommand_from history next' -x -s n -l lines -d 'Show at most so many'
complete -c lightsout -n '__fish_seen_subcommand_from history' -x -l since -d 'Results from then on'
complete -c lightsout -n '__fish_seen_subcommand_from history' -x -l result -a 'success failed aborted warnings undefined missed wrong-config unknown' -d 'Results of this kind'
complete -c lightsout -n '__fish_seen_subcommand_from history' -x -l directory -a '(__fish_complete_directories)' -d 'Journals of other machines'
complete -c lightsout -n '__fish_seen_subcommand_from start' -l no-wait -d 'Do not wait for the result'
complete -c lightsout -n '__fish_seen_subcommand_from pause' -x -l until -d 'When the pause ends by itself'
complete -c lightsout -n '__fish_seen_subcommand_from sleep' -l when-done -d 'When the backups that run are over'
complete -c lightsout -n '__fish_seen_subcommand_from sleep' -l cancel -d 'Do not do it after all'
complete -c lightsout -n '__fish_seen_subcommand_from sleep' -a 'suspend hibernate poweroff'
complete -c lightsout -n '__fish_seen_subcommand_from hold' -x -l who -d 'Who keeps it awake'
complete -c lightsout -n '__fish_seen_subcommand_from hold' -x -l why -d 'Why'
complete -c lightsout -n '__fish_seen_subcommand_from hold' -a '(__fish_complete_subcommand)'
complete -c lightsout -n '__fish_seen_subcommand_from check' -F
complete -c lightsout -n '__fish_seen_subcommand_from check' -l wake -a 'suspend hibernate hybrid-sleep' -d 'Try whether the machine wakes up'
complete -c lightsout -n '__fish_seen_subcommand_from check' -l yes -d 'Do not ask before'
complete -c lightsout -n '__fish_seen_subcommand_from calendar' -x -s n -l iterations -d 'Show so many elapses'
complete -c lightsout -n '__fish_seen_subcommand_from calendar' -x -l base-time -d 'Elapses after this time'
complete -c lightsout -n '__fish_seen_subcommand_from help' -a "$commands"
