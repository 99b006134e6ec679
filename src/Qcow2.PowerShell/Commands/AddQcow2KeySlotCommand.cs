using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Adds a passphrase to QCOW2 disk images that are encrypted with LUKS.</summary>
/// <remarks>
/// <para>
/// Add-Qcow2KeySlot sets another passphrase in a free one of an image's eight key slots, as <c>qemu-img amend -o encrypt.state=active</c> and
/// <c>cryptsetup luksAddKey</c> do. All passphrases of an image open it; none of the data is written anew. A passphrase that opens it already is needed.
/// </para>
/// <para>
/// An image that another program has open is refused, and so is one that is marked corrupt. Whenever the command is stopped, or the power fails, the image opens as before, or with
/// the new passphrase, too.
/// </para>
/// </remarks>
/// <example>
/// <code>Add-Qcow2KeySlot vault.qcow2 -Passphrase (Get-Secret vault) -NewPassphrase (Get-Secret recovery)</code>
/// <para>Adds a passphrase for recovery.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object EncryptionMethod -eq Luks | Add-Qcow2KeySlot -KeySlot 7 -Passphrase $admin -NewPassphrase $recovery -PassThru</code>
/// <para>Sets the same passphrase for recovery in the last slot of all encrypted images of a folder. An image whose slot 7 is in use is an error, and the others go on.</para>
/// </example>
/// <seealso cref="SetQcow2KeySlotCommand"/>
/// <seealso cref="RemoveQcow2KeySlotCommand"/>
/// <seealso cref="GetQcow2KeySlotCommand"/>
[Cmdlet(VerbsCommon.Add, "Qcow2KeySlot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2KeySlot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class AddQcow2KeySlotCommand : KeySlotChangeCmdlet
{
    /// <summary>A passphrase that opens the image. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNull]
    public SecureString Passphrase { get; set; } = new();

    /// <summary>The slot that gets the new passphrase, 0 to 7. By default it is the first one that is free.</summary>
    /// <value>The first free one</value>
    [Parameter]
    [ArgumentCompleter(typeof(KeySlotCompleter))]
    [ValidateRange(0, 7)]
    public int? KeySlot { get; set; }

    /// <summary>
    /// Replaces the passphrase that the slot of <c>-KeySlot</c> has. Whoever knows that one alone cannot open the image any more. By default a slot that is in use is an
    /// error.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        int? slot = KeySlot ?? SlotOf(image, SlotsOf(image.Path));
        string where = slot is int chosen ? $"key slot {chosen}" : "a free key slot";
        if (ShouldProcess(image.Path, Force && slot is not null ? $"Replace the passphrase of {where}" : $"Add a passphrase in {where}"))
        {
            Change(image.Path, slot, Force, Passphrase, ImageKeySlots.Add);
        }
    }
}
