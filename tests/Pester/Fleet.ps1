# Hosts to remote to: one sshd with an address of 127.0.0.0/8 and a name for each, keys of its own, and this very PowerShell as its subsystem.
# Nothing outside the given folder is written, and no file of the user's is read.

# Starts it. In a session over there FLEET_HOST has the host's name, and the modules are found that lie in ModuleRoot.
function Start-Fleet {
    param([string] $Folder, [string[]] $Name, [string] $ModuleRoot)

    $free = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $free.Start()
    $port = $free.LocalEndpoint.Port
    $free.Stop()

    foreach ($key in 'host_key', 'user_key') {
        ssh-keygen -q -t ed25519 -N '' -f (Join-Path $Folder $key)
    }

    $addresses = 1..$Name.Count | ForEach-Object { "127.0.0.$_" }
    $program = (Get-Process -Id $PID).Path
    if ([IO.Path]::GetFileNameWithoutExtension($program) -eq 'dotnet') {
        $program = "$program $(Join-Path $PSHOME 'pwsh.dll')"
    }

    $server = @(
        "Port $port"
        $addresses | ForEach-Object { "ListenAddress $_" }
        "HostKey $Folder/host_key"
        "AuthorizedKeysFile $Folder/user_key.pub"
        'PidFile none'
        'StrictModes no'
        'UsePAM no'
        'PasswordAuthentication no'
        'PermitRootLogin prohibit-password'
        "Subsystem powershell $program -sshs -NoLogo -NoProfile"
        for ($i = 0; $i -lt $Name.Count; $i++) {
            "Match LocalAddress $($addresses[$i])"
            "    SetEnv FLEET_HOST=$($Name[$i]) PSModulePath=$ModuleRoot POWERSHELL_TELEMETRY_OPTOUT=1"
        }
    )
    $client = @(
        for ($i = 0; $i -lt $Name.Count; $i++) {
            "Host $($Name[$i])"
            "    HostName $($addresses[$i])"
        }
        'Host *'
        "    Port $port"
        "    User $([Environment]::UserName)"
        "    IdentityFile $Folder/user_key"
        '    IdentitiesOnly yes'
        '    BatchMode yes'
        '    StrictHostKeyChecking no'
        "    UserKnownHostsFile $Folder/known_hosts"
        '    LogLevel ERROR'
    )
    $server | Set-Content (Join-Path $Folder sshd_config)
    $client | Set-Content (Join-Path $Folder ssh_config)

    # PowerShell starts the ssh it finds first: one that knows the hosts.
    $ssh = (Get-Command ssh -CommandType Application)[0].Source
    $bin = (New-Item -ItemType Directory (Join-Path $Folder bin)).FullName
    Set-Content (Join-Path $bin ssh) "#!/bin/sh`nexec '$ssh' -F '$Folder/ssh_config' `"`$@`""
    chmod +x (Join-Path $bin ssh)

    # sshd's own folder, which its service makes where there is one.
    if ([Environment]::UserName -eq 'root') {
        $null = New-Item -ItemType Directory /run/sshd -Force
    }

    $sshd = @(Get-Command sshd, /usr/sbin/sshd -CommandType Application -ErrorAction Ignore)[0].Source
    $process = Start-Process $sshd '-D', '-e', '-f', "$Folder/sshd_config" -PassThru -RedirectStandardError (Join-Path $Folder sshd.log) -RedirectStandardOutput (Join-Path $Folder sshd.out)
    $path = $env:PATH
    $env:PATH = "$bin$([IO.Path]::PathSeparator)$path"
    $deadline = (Get-Date).AddSeconds(30)
    while (-not (Test-Connection 127.0.0.1 -TcpPort $port -Quiet -TimeoutSeconds 1)) {
        if ($process.HasExited -or (Get-Date) -gt $deadline) {
            throw "sshd did not start: $(Get-Content -Raw (Join-Path $Folder sshd.log))"
        }

        Start-Sleep -Milliseconds 100
    }

    @{ Process = $process; Path = $path }
}

function Stop-Fleet {
    param([hashtable] $Fleet)

    if ($Fleet) {
        $env:PATH = $Fleet.Path
        $Fleet.Process.Kill($true)
        $Fleet.Process.WaitForExit()
    }
}
