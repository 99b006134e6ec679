using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets the key slots of QCOW2 disk images that are encrypted with LUKS: which of them have a passphrase.</summary>
/// <remarks>
/// <para>
/// An image that is encrypted with LUKS has eight key slots. Each can hold the key of the disk, encrypted with a passphrase; any one of these passphrases
/// opens the image. Get-Qcow2KeySlot lists the slots that have one, as <c>cryptsetup luksDump</c> and <c>qemu-img info</c> do. Nobody can see
/// the passphrases themselves.
/// </para>
/// <para>
/// With <c>-Passphrase</c> it lists the slots that this passphrase opens, for which it is tried on each: that takes seconds, by design. One that opens none
/// is an error. Nothing is changed.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2KeySlot vault.qcow2</code>
/// <para>The key slots that have a passphrase.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2KeySlot vault.qcow2 -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Tells which slot a passphrase is that of.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Get-Qcow2Image | Where-Object EncryptionMethod -eq Luks | Get-Qcow2KeySlot | Group-Object Path -NoElement</code>
/// <para>How many passphrases each encrypted image of a folder has.</para>
/// </example>
/// <seealso cref="AddQcow2KeySlotCommand"/>
/// <seealso cref="SetQcow2KeySlotCommand"/>
/// <seealso cref="RemoveQcow2KeySlotCommand"/>
/// <seealso cref="GetQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2KeySlot", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2KeySlot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class GetQcow2KeySlotCommand : KeySlotCmdlet
{
    /// <summary>The numbers of the slots, 0 to 7. They are listed whether or not they have a passphrase.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(KeySlotCompleter))]
    [ValidateRange(0, 7)]
    public int[]? KeySlot { get; set; }

    /// <summary>Lists also the slots that have no passphrase.</summary>
    [Parameter]
    public SwitchParameter All { get; set; }

    /// <summary>
    /// Lists only the slots that this passphrase opens. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        IReadOnlyList<Qcow2KeySlot> slots = Qcow2KeySlot.Of(ReadInformation(image));
        int? piped = SlotOf(image, slots);
        IReadOnlyList<int>? opened = Unseal(Passphrase) is Passphrase passphrase ? Derive(image.Path, token => ImageKeySlots.Find(image.Path, passphrase, token)) : null;
        WriteObject(
            slots.Where(slot => (opened is null || opened.Contains(slot.KeySlot))
                && (KeySlot is not null ? KeySlot.Contains(slot.KeySlot) : piped is int one ? slot.KeySlot == one : All || slot.IsActive)),
            enumerateCollection: true);
    }
}
