BeforeAll {
    . $PSScriptRoot/Shared.ps1
    $manifestPath = Get-TestedModulePath
    $manifest = Import-PowerShellDataFile -LiteralPath $manifestPath

    # Runs a script in a PowerShell of its own, which has nothing loaded yet.
    function Invoke-Fresh {
        param([string] $Script)

        $Script = "`$ErrorActionPreference = 'Stop'; `$manifest = '$manifestPath'; $Script"
        $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($Script))
        Invoke-PowerShell -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand $encoded 2>&1 | ForEach-Object { "$_" }
    }
}

Describe 'The module' {
    It 'imports, and says how long that takes' {
        $milliseconds = Invoke-Fresh '(Measure-Command { Import-Module $manifest }).TotalMilliseconds'
        Write-Host "      Import-Module takes $([Math]::Round([double] $milliseconds)) ms in a fresh session"
        Invoke-Fresh 'Import-Module $manifest; (Get-Module Qcow2).Name' | Should -Be 'Qcow2'
    }

    It 'exports what its manifest says, and nothing else' {
        Import-Module $manifestPath -Force
        $commands = Get-Command -Module Qcow2
        ($commands | Where-Object CommandType -EQ Cmdlet).Name | Should -Be ($manifest.CmdletsToExport | Sort-Object)
        ($commands | Where-Object CommandType -EQ Alias).Name | Should -Be ($manifest.AliasesToExport | Sort-Object)
        $commands | Where-Object CommandType -NotIn Cmdlet, Alias | Should -BeNullOrEmpty
    }

    It 'is sound in the eyes of Test-ModuleManifest' {
        $module = Test-ModuleManifest $manifestPath -WarningAction Stop
        $module.CompatiblePSEditions | Should -Be @('Desktop', 'Core')
        $module.PowerShellVersion | Should -Be ([version] '5.1')
        $module.Tags | Should -Contain 'PSEdition_Core'
    }

    It 'keeps its commands when it is imported again with -Force, and after removal' {
        Invoke-Fresh 'Import-Module $manifest; Import-Module $manifest -Force; (Get-Command -Module Qcow2).Count' |
            Should -Be ($manifest.CmdletsToExport.Count + $manifest.AliasesToExport.Count)
        Invoke-Fresh 'Import-Module $manifest; Remove-Module Qcow2; @(Get-Command Get-Qcow2Image -ErrorAction Ignore).Count' | Should -Be 0
        Invoke-Fresh 'Import-Module $manifest; Remove-Module Qcow2; Import-Module $manifest; (Get-Command Get-Qcow2Image).Name' |
            Should -Be 'Get-Qcow2Image'
    }

    It 'uses its own ZstdSharp beside an older one that another module loaded' {
        Copy-Fixture zstd.qcow2 $TestDrive
        $result = Invoke-Fresh @"
            `$deps = Join-Path (Split-Path `$manifest) 'bin/net8.0/deps/ZstdSharp.dll'
            `$name = [Reflection.AssemblyName]::new('ZstdSharp')
            `$name.Version = '0.5.0.0'
            `$name.SetPublicKey([Reflection.AssemblyName]::GetAssemblyName(`$deps).GetPublicKey())
            if ('System.Reflection.Emit.PersistedAssemblyBuilder' -as [type]) {
                `$old = [Reflection.Emit.PersistedAssemblyBuilder]::new(`$name, [object].Assembly)
                [void] `$old.DefineDynamicModule('ZstdSharp').DefineType('ZstdSharp.Decompressor', 'Public').CreateType()
                `$old.Save('$TestDrive/ZstdSharp.dll')
                [void] [Reflection.Assembly]::LoadFrom('$TestDrive/ZstdSharp.dll')
            }
            Import-Module `$manifest
            Convert-Qcow2Image '$TestDrive/zstd.qcow2' '$TestDrive/zstd.raw'
            (Get-FileHash '$TestDrive/zstd.raw').Hash.ToLowerInvariant()
"@
        $result | Should -Be (Get-ExpectedHash zstd)
    }

    Context 'on a system that it is compiled ahead for' {
        BeforeAll {
            $runtime = [Runtime.InteropServices.RuntimeInformation]::RuntimeIdentifier
            $ahead = Join-Path (Split-Path $manifestPath) "bin/net8.0/$runtime"
            $without = Join-Path $TestDrive 'without/Qcow2'
            $null = New-Item -ItemType Directory $without -Force
            Copy-Item (Join-Path (Split-Path $manifestPath) '*') $without -Recurse
            if (Test-Path $ahead) {
                Remove-Item (Join-Path $without "bin/net8.0/$runtime") -Recurse
            }

            Copy-Fixture zstd.qcow2 $TestDrive
            # How many methods the JIT compiled for the first image, the folder that the engine lies in, and the disk's hash.
            $first = @"
                `$path = '$TestDrive/zstd.qcow2'
                `$null = Resolve-Path -Path `$path; `$null = Get-Item -Path `$path; `$null = Get-Content -Path `$path -TotalCount 1 # What PowerShell itself compiles for a file is none of the module's.
                `$before = [Runtime.JitInfo]::GetCompiledMethodCount()
                `$image = Get-Qcow2Image `$path
                [Runtime.JitInfo]::GetCompiledMethodCount() - `$before
                Split-Path -Leaf (Split-Path `$image.GetType().Assembly.Location)
                Convert-Qcow2Image `$path '$TestDrive/first.raw' -Force
                (Get-FileHash '$TestDrive/first.raw').Hash.ToLowerInvariant()
"@
        }

        It 'loads that assembly, and the JIT has less to do' {
            if (-not (Test-Path $ahead) -or [Environment]::Version.Major -lt 10) {
                Set-ItResult -Skipped -Because "nothing is compiled ahead for $runtime and .NET $([Environment]::Version)"
                return
            }

            $fast = Invoke-Fresh "Import-Module `$manifest; $first"
            $slow = Invoke-Fresh "Import-Module '$without/Qcow2.psd1'; $first"
            $fast[1] | Should -Be $runtime
            $slow[1] | Should -Be 'net8.0'
            [int] $fast[0] | Should -BeLessThan ([int] $slow[0] / 2)
            $fast[2] | Should -Be (Get-ExpectedHash zstd)
            $slow[2] | Should -Be (Get-ExpectedHash zstd)
        }

        It 'says what is wrong where the assembly cannot be loaded' {
            Set-Content (Join-Path $without 'bin/net8.0/Qcow2.PowerShell.dll') 'no assembly'
            Invoke-Fresh "try { Import-Module '$without/Qcow2.psd1'; 'imported' } catch { `$_.Exception.GetBaseException().GetType().Name }" |
                Should -Be 'BadImageFormatException'
        }
    }

    It 'brings no private library into the default load context' {
        Copy-Fixture zstd.qcow2 $TestDrive
        Invoke-Fresh @"
            Import-Module `$manifest
            Convert-Qcow2Image '$TestDrive/zstd.qcow2' '$TestDrive/zstd2.raw'
            [Runtime.Loader.AssemblyLoadContext]::Default.Assemblies.ForEach({ `$_.GetName().Name }) -match 'Zstd|Qcow2' | Sort-Object
"@ | Should -Be @('Qcow2.Engine', 'Qcow2.PowerShell')
    }
}

Describe 'Output objects in the tests of a runbook' {
    BeforeAll {
        Import-Module $manifestPath -Force

        function Get-LargeImage {
            param([string] $Folder)

            Get-Qcow2Image (Join-Path $Folder '*.qcow2') | Where-Object Size -GT 1GB
        }
    }

    It 'can be built with a hashtable, and returned by a mock' {
        Mock Get-Qcow2Image {
            [Qcow2.Engine.Qcow2ImageInfo] @{ Path = '/a.qcow2'; Size = 2GB }
            [Qcow2.Engine.Qcow2ImageInfo] @{ Path = '/b.qcow2'; Size = 1MB }
        }
        Get-LargeImage /images | ForEach-Object Path | Should -Be '/a.qcow2'
        Should -Invoke Get-Qcow2Image -Times 1 -Exactly -ParameterFilter { $Path -like '*images*' }
    }

    It 'can be asserted by their type' {
        [Qcow2.Engine.Qcow2ImageInfo] @{ Path = 'x' } | Should -BeOfType Qcow2.Engine.Qcow2ImageInfo
        [Qcow2.Engine.Qcow2Snapshot] @{ Name = 'x'; Id = '1' } | Should -BeOfType Qcow2.Engine.Qcow2Snapshot
        [Qcow2.Engine.Qcow2Extent] @{ Kind = 'Zero'; Length = 4KB } | Should -BeOfType Qcow2.Engine.Qcow2Extent
        [Qcow2.Engine.Qcow2Bitmap] @{ Name = 'x' } | Should -BeOfType Qcow2.Engine.Qcow2Bitmap
    }

    It 'can be made by New-MockObject' {
        $image = New-MockObject -Type Qcow2.Engine.Qcow2ImageInfo -Properties @{ Path = '/x.qcow2' }
        $image.Path | Should -Be '/x.qcow2'
        $image | Out-String | Should -Match 'x.qcow2'
    }

    It 'goes into a mock of the next cmdlet' {
        Mock Convert-Qcow2Image { }
        [Qcow2.Engine.Qcow2ImageInfo] @{ Path = '/a[1].qcow2' } | Convert-Qcow2Image -DestinationPath /a.raw
        Should -Invoke Convert-Qcow2Image -Times 1 -Exactly -ParameterFilter { $InputObject[0].Path -eq '/a[1].qcow2' }
    }
}
