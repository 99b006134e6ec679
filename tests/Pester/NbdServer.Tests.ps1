# Disks served over NBD, as a runbook starts, uses and stops that.

BeforeDiscovery {
    $hasTools = $IsLinux -and (Get-Command nbdinfo, nbdcopy, qemu-img, qemu-io -ErrorAction Ignore).Count -eq 4
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath)
    Push-Location $TestDrive
    New-Qcow2Image disk.qcow2 8MB > $null
    Write-Qcow2Image disk.qcow2 -Offset 1MB -Value (1..255)
    Checkpoint-Qcow2Image disk.qcow2 before
    New-Qcow2Bitmap disk.qcow2 daily
    Write-Qcow2Image disk.qcow2 -Offset 2MB -Value (1..255)
    Convert-Qcow2Image disk.qcow2 disk.raw
    Convert-Qcow2Image disk.qcow2 before.raw -SnapshotName before
    Convert-Qcow2Image disk.qcow2 disk.vhdx
    Copy-Item disk.qcow2 pristine
}

AfterAll {
    Get-Qcow2NbdServer | Stop-Qcow2NbdServer
    Pop-Location
}

Describe 'Start-Qcow2NbdServer' {
    BeforeEach {
        Copy-Item pristine disk.qcow2
    }

    AfterEach {
        Get-Qcow2NbdServer | Stop-Qcow2NbdServer
    }

    It 'emits a server with an address' {
        $server = Start-Qcow2NbdServer disk.qcow2 -Port 0 -ExportName 'a b'
        $server | Should -BeOfType Qcow2.Engine.Qcow2NbdServer
        $server.Name | Should -Be disk
        $server.State | Should -Be Running
        $server.Port | Should -BeGreaterThan 0
        $server.Uri | Should -Be "nbd://127.0.0.1:$($server.Port)/a%20b"
        $server.Path | Should -Be (Get-Item disk.qcow2).FullName
        $server.Size | Should -Be 8MB
        $server.IsWritable | Should -BeFalse
        $server.Clients | Should -Be 0
        $server.SocketPath | Should -BeNullOrEmpty
    }

    It 'names servers, and takes no name twice' {
        Start-Qcow2NbdServer disk.qcow2 -Port 0 > $null
        (Start-Qcow2NbdServer disk.qcow2 -Port 0).Name | Should -Be disk-2
        (Start-Qcow2NbdServer disk.raw -Port 0 -Name mine).Name | Should -Be mine
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Name MINE -ErrorAction Stop } | Should -Throw -ErrorId 'NbdServerExists,*'
        (Get-Qcow2NbdServer).Name | Should -Be disk, disk-2, mine
        (Get-Qcow2NbdServer d*2).Name | Should -Be disk-2
        Stop-Qcow2NbdServer disk*
        (Get-Qcow2NbdServer).Name | Should -Be mine
    }

    It 'takes images from the pipeline' {
        (Get-ChildItem disk.* | Sort-Object Name | Start-Qcow2NbdServer -Port 0).Path | Split-Path -Leaf | Should -Be disk.qcow2, disk.raw, disk.vhdx
    }

    It 'says what is not possible' {
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Writable -SnapshotName before -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*'
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Writable -BitmapName daily -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*'
        { Start-Qcow2NbdServer disk.vhdx -Port 0 -Writable -ErrorAction Stop } | Should -Throw -ErrorId 'UnsupportedFeature,*'
        { Start-Qcow2NbdServer disk.raw -Port 0 -BitmapName daily -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*'
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -BitmapName other -ErrorAction Stop } | Should -Throw -ErrorId 'BitmapNotFound,*'
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -SnapshotName other -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        { Start-Qcow2NbdServer disk.qcow2 -Port 0 -SocketPath s -ErrorAction Stop } | Should -Throw -ErrorId 'ParameterConflict,*'
        { Start-Qcow2NbdServer nothing.qcow2 -Port 0 -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
        $first = Start-Qcow2NbdServer disk.qcow2 -Port 0
        { Start-Qcow2NbdServer disk.qcow2 -Port $first.Port -ErrorAction Stop } | Should -Throw -ErrorId 'NbdListenFailed,*' -ExpectedMessage '*in use*-Port*'
        (Get-Qcow2NbdServer).Count | Should -Be 1
    }

    It 'does nothing with -WhatIf' {
        Start-Qcow2NbdServer disk.qcow2 -Port 0 -WhatIf | Should -BeNullOrEmpty
        Get-Qcow2NbdServer | Should -BeNullOrEmpty
    }

    It 'warns where the network can connect' {
        Start-Qcow2NbdServer disk.qcow2 -Port 0 -Address 0.0.0.0 -WarningVariable said -WarningAction SilentlyContinue > $null
        "$said" | Should -BeLike '*neither passwords nor encryption*can read this disk*'
    }

    Context 'with a certificate' {
        BeforeAll {
            function New-TestCertificate([string] $Name, $Issuer, [string] $Usage, [double] $HoursLeft = 10) {
                $key = [Security.Cryptography.ECDsa]::Create([Security.Cryptography.ECCurve]::CreateFromFriendlyName('nistP256'))
                $request = [Security.Cryptography.X509Certificates.CertificateRequest]::new("CN=$Name", $key, [Security.Cryptography.HashAlgorithmName]::SHA256)
                $request.CertificateExtensions.Add([Security.Cryptography.X509Certificates.X509BasicConstraintsExtension]::new(-not $Issuer, $false, 0, $true))
                $from, $to = [DateTimeOffset]::Now.AddHours(-1), [DateTimeOffset]::Now.AddHours($HoursLeft)
                if (-not $Issuer) {
                    return $request.CreateSelfSigned($from, $to)
                }
                $uses = [Security.Cryptography.OidCollection]::new()
                [void] $uses.Add([Security.Cryptography.Oid]::new($Usage))
                $request.CertificateExtensions.Add([Security.Cryptography.X509Certificates.X509EnhancedKeyUsageExtension]::new($uses, $false))
                $names = [Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
                $names.AddIpAddress([Net.IPAddress]::Loopback)
                $request.CertificateExtensions.Add($names.Build())
                [Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::CopyWithPrivateKey($request.Create($Issuer, $from, $to, [byte[]] (1..16)), $key)
            }

            # The TLS of Windows takes no key that lies in memory only, and Windows PowerShell no certificates of clients.
            function Import-TestCertificate($Certificate) {
                [Security.Cryptography.X509Certificates.X509Certificate2]::new($Certificate.Export('Pkcs12'))
            }

            $authority = New-TestCertificate 'Test authority' -HoursLeft 12
            $certificate = Import-TestCertificate (New-TestCertificate localhost $authority '1.3.6.1.5.5.7.3.1')
            $public = [Security.Cryptography.X509Certificates.X509Certificate2]::new($authority.RawData)
        }

        It 'says that it has TLS, and by which certificate' {
            $server = Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $certificate
            $server.Uri | Should -BeLike 'nbds://127.0.0.1:*'
            $server.CertificateThumbprint | Should -Be $certificate.Thumbprint
            $server.RequiresClientCertificate | Should -BeFalse
            (Get-Qcow2NbdServer | Format-List | Out-String) | Should -BeLike "*$($certificate.Thumbprint)*"
            (Start-Qcow2NbdServer disk.qcow2 -Port 0).CertificateThumbprint | Should -BeNullOrEmpty
        }

        It 'warns of a certificate that is out of date' {
            $old = Import-TestCertificate (New-TestCertificate localhost $authority '1.3.6.1.5.5.7.3.1' -HoursLeft -0.5)
            Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $old -WarningVariable said -WarningAction SilentlyContinue > $null
            "$said" | Should -BeLike "*'CN=localhost' is valid from*will not trust it*"
        }

        It 'says what is wrong with certificates' {
            { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $public } | Should -Throw -ErrorId 'CertificateInvalid,*' -ExpectedMessage '*no private key*'
            { Start-Qcow2NbdServer disk.qcow2 -Port 0 -ClientCertificateAuthority $public } | Should -Throw -ErrorId 'ParameterMissing,*' -ExpectedMessage '*-Certificate*'
            { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $certificate -ClientCertificateAuthority $certificate } | Should -Throw -ErrorId 'CertificateInvalid,*' -ExpectedMessage '*issued itself*'
            Get-Qcow2NbdServer | Should -BeNullOrEmpty
        }

        It 'cannot know clients in Windows PowerShell, and says so' -Skip:($PSVersionTable.PSVersion.Major -ge 7) {
            { Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $certificate -ClientCertificateAuthority $public } | Should -Throw -ErrorId 'OperationNotSupported,*' -ExpectedMessage '*PowerShell 7*'
        }

        It 'warns where the network can connect, unless clients are known' -Skip:($PSVersionTable.PSVersion.Major -lt 7) {
            Start-Qcow2NbdServer disk.qcow2 -Port 0 -Address 0.0.0.0 -Certificate $certificate -WarningVariable said -WarningAction SilentlyContinue > $null
            "$said" | Should -BeLike '*no passwords*-ClientCertificateAuthority*can read this disk*'
            Start-Qcow2NbdServer disk.qcow2 -Port 0 -Address 0.0.0.0 -Certificate $certificate -ClientCertificateAuthority $public -WarningVariable said -WarningAction SilentlyContinue > $null
            $said | Should -BeNullOrEmpty
        }

        It 'gives the disk to those who have a certificate, and to nobody else' -Skip:(-not $hasTools) {
            $client = New-TestCertificate backup $authority '1.3.6.1.5.5.7.3.2'
            [void] (New-Item -ItemType Directory known, unknown)
            Set-Content known/ca-cert.pem, unknown/ca-cert.pem $authority.ExportCertificatePem()
            Set-Content known/client-cert.pem $client.ExportCertificatePem()
            Set-Content known/client-key.pem ([Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($client).ExportPkcs8PrivateKeyPem())
            $server = Start-Qcow2NbdServer disk.qcow2 -Port 0 -Certificate $certificate -ClientCertificateAuthority $public
            $server.RequiresClientCertificate | Should -BeTrue
            nbdcopy "$($server.Uri)/?tls-certificates=$PWD/known" copy.raw
            Get-Sha256 copy.raw | Should -Be (Get-Sha256 disk.raw)
            nbdinfo "$($server.Uri)/?tls-certificates=$PWD/unknown" 2> $null
            $LASTEXITCODE | Should -Not -Be 0
            nbdinfo --size ($server.Uri -replace '^nbds', 'nbd') 2> $null
            $LASTEXITCODE | Should -Not -Be 0
            (Get-Qcow2NbdServer).LastProblem | Should -BeLike '*did not come to TLS*'
        }
    }

    It 'holds the image as its users do' {
        Start-Qcow2NbdServer disk.qcow2 -Port 0 > $null
        { Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        (Read-Qcow2Image disk.qcow2 -Offset 2MB -Count 1) | Should -Be 1
        Stop-Qcow2NbdServer disk
        Start-Qcow2NbdServer disk.qcow2 -Port 0 -Writable > $null
        { Read-Qcow2Image disk.qcow2 -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        Stop-Qcow2NbdServer disk
        Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1
    }

    It 'is read by other programs, any format and snapshot' -Skip:(-not $hasTools) {
        foreach ($case in @{ Path = 'disk.qcow2'; Like = 'disk.raw' }, @{ Path = 'disk.vhdx'; Like = 'disk.raw' }, @{ Path = 'disk.raw'; Like = 'disk.raw' }, @{ Path = 'disk.qcow2'; SnapshotName = 'before'; Like = 'before.raw' }) {
            $like = $case.Like
            $case.Remove('Like')
            $server = Start-Qcow2NbdServer @case -SocketPath nbd.sock
            $server.SocketPath | Should -Be (Join-Path (Get-Location).ProviderPath nbd.sock)
            nbdcopy $server.Uri copy.raw
            Get-Sha256 copy.raw | Should -Be (Get-Sha256 $like)
            (Get-Qcow2NbdServer).BytesRead | Should -BeGreaterThan 0
            Stop-Qcow2NbdServer $server
            Test-Path nbd.sock | Should -BeFalse
        }
    }

    It 'tells of bitmaps, by name and from the pipeline' -Skip:(-not $hasTools) {
        foreach ($server in (Start-Qcow2NbdServer disk.qcow2 -Port 0 -BitmapName daily), (Get-Qcow2Bitmap disk.qcow2 | Start-Qcow2NbdServer -Port 0)) {
            $server.BitmapNames | Should -Be daily
            "$(nbdinfo --map=qemu:dirty-bitmap:daily $server.Uri)" -replace '\s+', ' ' | Should -BeLike '* 2097152 65536 1*'
        }
    }

    It 'is written by other programs, and the bitmap records it' -Skip:(-not $hasTools) {
        $server = Start-Qcow2NbdServer disk.qcow2 -SocketPath nbd.sock -Writable -StopAfterLastClient
        qemu-io -f raw -c 'write -P 7 4M 64k' -c flush $server.Uri > $null
        for ($i = 0; $i -lt 100 -and (Get-Qcow2NbdServer); $i++) {
            Start-Sleep -Milliseconds 100
        }

        Get-Qcow2NbdServer | Should -BeNullOrEmpty
        Read-Qcow2Image disk.qcow2 -Offset 4MB -Count 1 | Should -Be 7
        (Get-Qcow2Extent disk.qcow2 -BitmapName daily).Offset | Should -Be 2MB, 4MB
        (Test-Qcow2Image disk.qcow2).IsHealthy | Should -BeTrue
    }
}

Describe 'Stop-Qcow2NbdServer' {
    It 'stops by object and by property, and emits what was with -PassThru' {
        $server = Start-Qcow2NbdServer disk.qcow2 -Port 0
        $stopped = $server | Stop-Qcow2NbdServer -PassThru
        $stopped.State | Should -Be Stopped
        Start-Qcow2NbdServer disk.qcow2 -Port 0 > $null
        $server | Select-Object Name | Stop-Qcow2NbdServer
        Get-Qcow2NbdServer | Should -BeNullOrEmpty
    }

    It 'knows what is not there' {
        { Stop-Qcow2NbdServer nobody -ErrorAction Stop } | Should -Throw -ErrorId 'NbdServerNotFound,*' -ExpectedMessage "*'nobody'*"
        { Get-Qcow2NbdServer nobody -ErrorAction Stop } | Should -Throw -ErrorId 'NbdServerNotFound,*'
        Stop-Qcow2NbdServer nobody* -ErrorAction Stop
    }

    It 'leaves the server alone with -WhatIf' {
        Start-Qcow2NbdServer disk.qcow2 -Port 0 > $null
        Stop-Qcow2NbdServer disk -WhatIf
        Get-Qcow2NbdServer | Should -Not -BeNullOrEmpty
        (TabExpansion2 'Stop-Qcow2NbdServer d').CompletionMatches.CompletionText | Should -Contain disk
        Stop-Qcow2NbdServer disk
    }

    It 'is done by the end of the process, and by the end of the module, with all that was written' -Skip:(-not $hasTools) {
        foreach ($end in 'exit', 'Remove-Module Qcow2; "$([bool] (Test-Path nbd.sock))"') {
            Copy-Item pristine disk.qcow2
            $said = Invoke-PowerShell -NoProfile -Command "
                Import-Module '$(Get-TestedModulePath)'
                `$server = Start-Qcow2NbdServer disk.qcow2 -SocketPath nbd.sock -Writable
                qemu-io -t writeback -f raw -c 'write -P 9 5M 64k' `$server.Uri > `$null
                $end"
            "$said" | Should -BeIn '', 'False'
            Test-Path nbd.sock | Should -BeFalse
            Read-Qcow2Image disk.qcow2 -Offset 5MB -Count 1 | Should -Be 9
            (Get-Qcow2Bitmap disk.qcow2).IsInUse | Should -BeFalse
        }
    }

    It 'is possible from another runspace than the one that started it' -Skip:($PSVersionTable.PSVersion.Major -lt 7) {
        $module, $disk = (Get-TestedModulePath), (Get-Item disk.qcow2).FullName
        $name = 1 | ForEach-Object -Parallel { Import-Module $using:module; (Start-Qcow2NbdServer $using:disk -Port 0 -Name parallel).Name }
        $name | Should -Be parallel
        (Get-Qcow2NbdServer parallel).State | Should -Be Running
        Stop-Qcow2NbdServer parallel
    }
}

Describe 'A server as an object' {
    It 'is shown, with names from files made harmless' {
        $shown = [Qcow2.Engine.Qcow2NbdServer] @{ Name = "evil`e[31m"; Path = "/x/evil`e[31m"; Uri = 'nbd://x' } | Out-String
        $shown | Should -Match evil
        $shown | Should -Not -Match "`e\[31m"
    }

    It 'comes through a job' {
        $server = Start-Qcow2NbdServer disk.qcow2 -Port 0
        $back = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($server))
        $back.Uri | Should -Be $server.Uri
        $back | Stop-Qcow2NbdServer
        Get-Qcow2NbdServer | Should -BeNullOrEmpty
    }
}
