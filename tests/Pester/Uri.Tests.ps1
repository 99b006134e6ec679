# Images on a server, as a runbook meets them.

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture snapshots.qcow2 $TestDrive
    Push-Location $TestDrive
    if ($IsWindows) {
        return # HttpListener needs http.sys there, and rights.
    }

    # A small server of the folder, with ranges and without, on a port of loopback.
    $script:port = & {
        $probe = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
        $probe.Start()
        $probe.LocalEndpoint.Port
        $probe.Stop()
    }
    $script:listener = [Net.HttpListener]::new()
    $listener.Prefixes.Add("http://127.0.0.1:$port/")
    $listener.Start()
    $script:server = [powershell]::Create().AddScript({
        param($listener, $folder)
        while ($listener.IsListening) {
            try {
                $context = $listener.GetContext()
            }
            catch {
                return
            }

            $answer = $context.Response
            try {
                $name = $context.Request.Url.AbsolutePath.Trim('/')
                $path = Join-Path $folder ($name -replace '^whole/')
                if (-not (Test-Path -LiteralPath $path)) {
                    $answer.StatusCode = 404
                    continue
                }

                $bytes = [IO.File]::ReadAllBytes($path)
                $answer.Headers['ETag'] = '"one"'
                $first, $last = 0, ($bytes.Length - 1)
                if ($context.Request.Headers['Range'] -match '^bytes=(\d+)-(\d+)$' -and $name -notlike 'whole/*') {
                    $first, $last = [int] $Matches[1], [Math]::Min([int] $Matches[2], $last)
                    $answer.StatusCode = 206
                    $answer.Headers['Content-Range'] = "bytes $first-$last/$($bytes.Length)"
                }

                $answer.ContentLength64 = $last - $first + 1
                $answer.OutputStream.Write($bytes, $first, $last - $first + 1)
            }
            catch [Net.HttpListenerException] {
                # The client has gone.
            }
            finally {
                $answer.Close()
            }
        }
    }).AddArgument($listener).AddArgument("$TestDrive")
    $script:running = $server.BeginInvoke()
    $script:uri = "http://127.0.0.1:$port/snapshots.qcow2"
}

AfterAll {
    if ($listener) {
        $listener.Close()
        $server.Stop()
        $server.Dispose()
    }

    Pop-Location
}

Describe 'An image at an address' -Skip:$IsWindows {
    It 'is described without being downloaded' {
        $image = Get-Qcow2Image -NoProxy -Uri $uri
        $image.Path | Should -Be $uri
        $image.Size | Should -Be (Get-Qcow2Image snapshots.qcow2).Size
        $image.Snapshots.Name | Should -Be (Get-Qcow2Image snapshots.qcow2).Snapshots.Name
        $image | Out-String | Should -BeLike '*snapshots.qcow2*'
    }

    It 'is converted to what the file is converted to' {
        Convert-Qcow2Image snapshots.qcow2 here.vhdx
        Convert-Qcow2Image -NoProxy -Uri $uri there.vhdx
        (Compare-Qcow2Image here.vhdx there.vhdx -Strict).AreEqual | Should -BeTrue
        Compare-Qcow2Image -NoProxy -Uri $uri there.vhdx -Quiet | Should -BeTrue
        (Test-Qcow2Image -NoProxy -Uri $uri -ReadData).IsHealthy | Should -BeTrue
    }

    It 'is an error with its own id where the server gives no parts, and is downloaded where that is allowed' {
        $whole = $uri -replace 'snapshots', 'whole/snapshots'
        { Convert-Qcow2Image -NoProxy -Uri $whole whole.raw -ErrorAction Stop } | Should -Throw -ErrorId 'RangesNotSupported,*' -ExpectedMessage '*-AllowDownload*'
        $hash = (Get-FileHash snapshots.qcow2 -Algorithm SHA256).Hash
        Convert-Qcow2Image -NoProxy -Uri $whole whole.raw -AllowDownload
        Convert-Qcow2Image -NoProxy -Uri $whole whole.raw -ExpectedHash $hash -Force
        Compare-Qcow2Image whole.raw snapshots.qcow2 -Quiet | Should -BeTrue
        { Convert-Qcow2Image -NoProxy -Uri $uri no.raw -ExpectedHash ('0' * 64) -ErrorAction Stop } | Should -Throw -ErrorId 'HashMismatch,*'
        Test-Path no.raw | Should -BeFalse
    }

    It 'is not taken for a path, nor its object for a file of this computer' {
        { Get-Qcow2Image $uri -ErrorAction Stop } | Should -Throw -ErrorId 'DriveNotFound,*' -ExpectedMessage '*-Uri*'
        { Get-Qcow2Image -NoProxy -Uri $uri | Convert-Qcow2Image -DestinationPath x.raw -ErrorAction Stop } | Should -Throw -ErrorId 'ImageOnOtherComputer,*' -ExpectedMessage '*-Uri*'
        { Get-Qcow2Image -NoProxy -Uri "http://127.0.0.1:$port/no.img" -ErrorAction Stop } | Should -Throw -ErrorId 'HttpRequestFailed,*'
    }
}
