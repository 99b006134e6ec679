using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Commands;

/// <summary>Removes passphrases of QCOW2 disk images that are encrypted with LUKS.</summary>
/// <remarks>
/// <para>
/// Remove-Qcow2KeySlot erases key slots, as <c>qemu-img amend -o encrypt.state=inactive</c> and <c>cryptsetup luksKillSlot</c> do: those of <c>-KeySlot</c>, those that come
/// down the pipeline, or all that <c>-OldPassphrase</c> opens. The cmdlet asks for confirmation unless <c>-Confirm:$false</c> is given. No passphrase is needed to remove one by
/// its slot; with <c>-Passphrase</c> nothing is removed unless that one opens the image afterwards.
/// </para>
/// <para>
/// The last passphrase is not removed without <c>-Force</c>: nothing would open the disk any more, and its data would be gone for good.
/// </para>
/// <para>
/// The key material is overwritten first, then the slot's entry. A slot whose removal was cut short still says that it is in use, and can be removed again. What
/// overwriting cannot promise is said of <c>Set-Qcow2KeySlot</c>: solid-state drives, file systems with copy on write, snapshots and backups keep what was there.
/// </para>
/// </remarks>
/// <example>
/// <code>Remove-Qcow2KeySlot vault.qcow2 3</code>
/// <para>Removes the passphrase of a slot, after a question.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object EncryptionMethod -eq Luks | Remove-Qcow2KeySlot -OldPassphrase $left -Passphrase $admin -Confirm:$false</code>
/// <para>Removes a passphrase from all encrypted images of a folder that the administrator's opens, too.</para>
/// </example>
/// <seealso cref="GetQcow2KeySlotCommand"/>
/// <seealso cref="AddQcow2KeySlotCommand"/>
/// <seealso cref="SetQcow2KeySlotCommand"/>
[Cmdlet(VerbsCommon.Remove, "Qcow2KeySlot", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Qcow2KeySlot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RemoveQcow2KeySlotCommand : KeySlotCmdlet
{
    /// <summary>The slots whose passphrases are removed, 0 to 7.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(KeySlotCompleter))]
    [ValidateRange(0, 7)]
    public int[]? KeySlot { get; set; }

    /// <summary>The passphrase to remove, from all slots that have it. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? OldPassphrase { get; set; }

    /// <summary>A passphrase that is to open the image afterwards. If it would not, nothing is removed. By default none is asked for.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// Removes the last passphrase, too, after which nobody can read the disk any more; and erases slots of <c>-KeySlot</c> that have none, where a program that was
    /// cut short may have left key material.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the key slots as they were. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    /// <remarks>-Passphrase is one that is to remain, and not the one to remove.</remarks>
    private protected override string? ParameterFor(string usual, string? path) => usual == nameof(Passphrase) ? null : base.ParameterFor(usual, path);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (KeySlot is not null && OldPassphrase is not null)
        {
            ThrowTerminatingError(ErrorRecords.From(
                ImageCmdletException.Contradiction("-KeySlot and -OldPassphrase each say which passphrases are removed; give one of them."), nameof(KeySlot)));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        IReadOnlyList<Qcow2KeySlot> now = SlotsOf(image.Path);
        int? piped = SlotOf(image, now);
        IReadOnlyList<int> slots = KeySlot
            ?? (piped is int one ? [one]
                : Unseal(OldPassphrase) is Passphrase old ? Derive(image.Path, token => ImageKeySlots.Find(image.Path, old, token))
                : throw new ImageCmdletException(
                    "KeySlotNotSpecified", ErrorCategory.InvalidArgument,
                    $"{image.Path}: say which passphrases are removed: -KeySlot, -OldPassphrase, or key slots from Get-Qcow2KeySlot in place of the image."));
        slots = [.. slots.Distinct().OrderBy(slot => slot)];
        bool isLast = now.All(slot => !slot.IsActive || slots.Contains(slot.KeySlot));
        string what = slots.Count == 1 ? $"the passphrase of key slot {slots[0]}" : $"the passphrases of key slots {string.Join(", ", slots)}";
        if (!ShouldProcess(image.Path, isLast && Force ? $"Remove {what}, after which NOTHING opens the disk any more and its data is gone for good" : $"Remove {what}"))
        {
            return;
        }

        Passphrase? remaining = Unseal(Passphrase);
        Derive(image.Path, token =>
        {
            ImageKeySlots.Remove(image.Path, slots, remaining, Force, token);
            return true;
        });
        if (PassThru)
        {
            WriteObject(now.Where(slot => slots.Contains(slot.KeySlot)), enumerateCollection: true);
        }
    }
}
