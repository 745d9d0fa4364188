# shellcheck shell=sh disable=SC2034,SC2154
# How a reload revokes what a change brought. Functions only; part of the program that transaction.sh ends.

# Whether a reload took everything back out of effect.
is_revoked() {
  is_as_before || return 1
  ! must_disable_live_restore || is_live_restore_off
}

# A key that is missing in the file stays in effect after SIGHUP (moby#36632), so the daemon is shown for a moment a file
# that revokes it. A key that the change did not add may be a flag, and is not shown beside it.
revoke() {
  members='' value=''
  if print_planned_configuration | grep -q '"insecure-registries"' && ! grep -qs '"insecure-registries"' "$config_file"; then
    members='"insecure-registries":[]'
  fi
  if must_disable_live_restore; then members="$members${members:+,}\"live-restore\":false" value=false; fi
  if [ -z "$members" ]; then
    reload
    return 0
  fi
  conceal && show "$members" "$value" && reload
  until_deadline $(($(now) + 3)) is_revoked
  reveal
}

# Sets the restored configuration file aside; reveal restores it again.
conceal() {
  known_file=$(fingerprint "$config_file")
  rm -f "$T/concealed"
  case $known_file in absent*) ;; *) cp -p "$config_file" "$T/concealed" ;; esac
}

# show MEMBERS VALUE: the configuration file has MEMBERS before the content that was set aside, and VALUE for its
# live-restore. That content is an object, or dockerd would not have started with it.
show() {
  script='s/^[[:space:]]*{[[:space:]]*//; s/^[^}]/,&/'
  [ -z "$2" ] || script="$script; s/\"live-restore\"[[:space:]]*:[[:space:]]*[a-z]*/\"live-restore\":$2/g"
  {
    printf '{%s' "$1"
    if grep -qs '{' "$T/concealed"; then tr '\n' ' ' <"$T/concealed" | sed "$script"; else printf '}'; fi
  } >"$T/shown"
  case $known_file in absent*) shown='regular 600 0 0 -' ;; *) shown=$known_file ;; esac
  set_file "$config_file" "$shown" "$T/shown"
}

reveal() {
  set_file "$config_file" "$known_file" "$T/concealed"
  remove_directories "$T/created-directories"
}
