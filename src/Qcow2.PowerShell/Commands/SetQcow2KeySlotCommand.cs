using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Changes a passphrase of QCOW2 disk images that are encrypted with LUKS.</summary>
/// <remarks>
/// <para>
/// Set-Qcow2KeySlot exchanges a passphrase for another one, in the same key slot, as <c>cryptsetup luksChangeKey</c> does. The old one opens the image no
/// more: other slots that have it, too, are erased. Other passphrases stay, and none of the data is written anew.
/// </para>
/// <para>
/// The new passphrase is on the disk, in a free slot, before the old one is erased. Whenever the command is stopped, or the power fails, the image opens with the
/// old passphrase or with the new one. Where all eight slots are in use that is not possible, and an error without <c>-Force</c>.
/// </para>
/// <para>
/// The key material of the old passphrase is overwritten. That cannot promise that it is nowhere any more: solid-state drives keep old sectors for a while, file
/// systems with copy on write and their snapshots keep old blocks, and backups of the image open with the old passphrase for ever. The key of the disk stays
/// the same, too. Where somebody may have copied the image or its key, <c>Convert-Qcow2Image</c> makes one with another key.
/// </para>
/// </remarks>
/// <example>
/// <code>Set-Qcow2KeySlot vault.qcow2 -Passphrase (Read-Host -AsSecureString 'Old') -NewPassphrase (Read-Host -AsSecureString 'New')</code>
/// <para>Changes a passphrase.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image /vm/*.qcow2 | Where-Object EncryptionMethod -eq Luks | Set-Qcow2KeySlot -Passphrase $old -NewPassphrase $new -PassThru</code>
/// <para>Changes a passphrase in a fleet. Images that do not have it are errors, and the others go on.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2KeySlot vault.qcow2 -KeySlot 2 -Passphrase $admin -NewPassphrase $new -Force</code>
/// <para>Gives a new passphrase to the slot of somebody who forgot theirs, with another one that opens the image.</para>
/// </example>
/// <seealso cref="AddQcow2KeySlotCommand"/>
/// <seealso cref="RemoveQcow2KeySlotCommand"/>
/// <seealso cref="GetQcow2KeySlotCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Set, "Qcow2KeySlot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2KeySlot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class SetQcow2KeySlotCommand : KeySlotChangeCmdlet
{
    /// <summary>
    /// The passphrase that is changed; with <c>-KeySlot</c> and <c>-Force</c> any one that opens the image. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNull]
    public SecureString Passphrase { get; set; } = new();

    /// <summary>The slot whose passphrase is changed, 0 to 7; others that have the same one keep it. By default it is found by <c>-Passphrase</c>.</summary>
    /// <value>The one that -Passphrase opens</value>
    [Parameter]
    [ArgumentCompleter(typeof(KeySlotCompleter))]
    [ValidateRange(0, 7)]
    public int? KeySlot { get; set; }

    /// <summary>
    /// Replaces the passphrase of <c>-KeySlot</c> also where <c>-Passphrase</c> is that of another slot, and overwrites the slot where it lies if no other one is free: a power failure in
    /// that moment loses both the old and the new passphrase. Those of other slots are not touched.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        int? slot = KeySlot ?? SlotOf(image, SlotsOf(image.Path));
        if (ShouldProcess(image.Path, slot is int chosen ? $"Change the passphrase of key slot {chosen}" : "Change the passphrase"))
        {
            Change(image.Path, slot, Force, Passphrase, ImageKeySlots.Change);
        }
    }
}
