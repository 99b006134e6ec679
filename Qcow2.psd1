@{
    RootModule           = 'Qcow2.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '5a7f6133-f903-4043-87c2-195703023416'
    Author               = 'Qcow2 for PowerShell contributors'
    CompanyName          = 'Qcow2 for PowerShell contributors'
    Copyright            = 'Copyright (c) Qcow2 for PowerShell contributors. MIT License.'
    Description          = 'Works with QCOW2 disk images (the format of QEMU and KVM) natively, without qemu: what an image is, its backing chain and map; checking and repairing; creating, resizing, reading and writing; snapshots; merging and rebasing overlays; conversion, compaction and compression.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FormatsToProcess     = @('Qcow2.Format.ps1xml')
    TypesToProcess       = @('Qcow2.Types.ps1xml')
    FunctionsToExport    = @()
    VariablesToExport    = @()
    CmdletsToExport      = @(
        'Add-Qcow2KeySlot'
        'Checkpoint-Qcow2Image'
        'Clear-Qcow2Bitmap'
        'Compare-Qcow2Image'
        'Convert-Qcow2Image'
        'Disable-Qcow2Bitmap'
        'Enable-Qcow2Bitmap'
        'Export-Qcow2Change'
        'Export-Qcow2Report'
        'Export-Qcow2Snapshot'
        'Get-Qcow2Bitmap'
        'Get-Qcow2Extent'
        'Get-Qcow2Image'
        'Get-Qcow2KeySlot'
        'Get-Qcow2Partition'
        'Get-Qcow2NbdServer'
        'Get-Qcow2Snapshot'
        'Measure-Qcow2Image'
        'Merge-Qcow2Bitmap'
        'Merge-Qcow2Image'
        'New-Qcow2Bitmap'
        'New-Qcow2Image'
        'Optimize-Qcow2Image'
        'Read-Qcow2Image'
        'Remove-Qcow2Bitmap'
        'Remove-Qcow2KeySlot'
        'Remove-Qcow2Snapshot'
        'Rename-Qcow2Snapshot'
        'Repair-Qcow2Image'
        'Resize-Qcow2Image'
        'Restore-Qcow2Snapshot'
        'Set-Qcow2Image'
        'Set-Qcow2KeySlot'
        'Show-Qcow2Image'
        'Start-Qcow2NbdServer'
        'Stop-Qcow2NbdServer'
        'Test-Qcow2Image'
        'Write-Qcow2Image'
    )
    AliasesToExport      = @(
        'Export-Qcow2Checkpoint'
        'Get-Qcow2Checkpoint'
        'Get-Qcow2Map'
        'Remove-Qcow2Checkpoint'
        'Rename-Qcow2Checkpoint'
        'Restore-Qcow2Checkpoint'
    )
    PrivateData          = @{
        PSData = @{
            Prerelease = 'alpha1'
            Tags       = @('qcow2', 'qemu', 'kvm', 'libvirt', 'disk-image', 'virtual-disk', 'vhd', 'snapshot', 'luks', 'PSEdition_Desktop', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS')
        }
    }
}
