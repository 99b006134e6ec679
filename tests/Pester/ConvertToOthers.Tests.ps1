# The way from a cloud image to Hyper-V, Azure, VMware and VirtualBox and back: the lines of README's first screen.
BeforeDiscovery {
    $script:lines = Get-Content $PSScriptRoot/../../README.md | Where-Object { $_ -match '^Convert-Qcow2Image (cloud|hyperv)\.' }
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    $null = New-Qcow2Image cloud.qcow2 32MB
    $bytes = [byte[]](1..255)
    foreach ($offset in 0, 7MB, 33553920) { Write-Qcow2Image cloud.qcow2 -Offset $offset -Value $bytes -Confirm:$false }
    Convert-Qcow2Image cloud.qcow2 hyperv.vhdx
    Convert-Qcow2Image cloud.qcow2 download.raw
    $packed = [IO.Compression.GZipStream]::new([IO.File]::Create("$TestDrive/cloud.raw.gz"), [IO.Compression.CompressionLevel]::Fastest)
    $disk = [IO.File]::ReadAllBytes("$TestDrive/download.raw")
    $packed.Write($disk, 0, $disk.Length)
    $packed.Dispose()
}

AfterAll {
    Pop-Location
}

Describe 'README shows how a disk gets elsewhere' {
    It 'with a line for each' -ForEach @{ Count = $lines.Count } {
        $Count | Should -Be 6
    }

    It '<_>' -ForEach $lines {
        $destination = ($_ -split '\s+')[2]
        Invoke-Expression $_ | Should -BeNullOrEmpty
        $image = Get-Qcow2Image $destination
        $image.Size | Should -Be 32MB
        Compare-Qcow2Image $destination cloud.qcow2 -Quiet | Should -BeTrue
        Test-Qcow2Image $destination -Quiet | Should -BeTrue
        Remove-Item $destination
    }
}

Describe 'New-Qcow2Image makes an empty disk of the format of its name' {
    It 'of <_>' -ForEach 'vhdx', 'vhd', 'vmdk', 'vdi', 'raw' {
        $image = New-Qcow2Image "empty.$_" 100MB
        $image.Format | Should -Be $_
        $image.Size | Should -Be 100MB
        $image.AllocatedSize | Should -BeLessThan 10MB
    }
}
