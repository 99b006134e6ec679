using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What every cmdlet of the module has: it can be stopped, and an error of one file does not end it.</summary>
public abstract class Qcow2Cmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<SecureString, Passphrase> _passphrases = [];

    /// <summary>Cancelled when the pipeline is stopped, by Ctrl-C for one.</summary>
    internal CancellationToken StopToken => _stop.Token;

    /// <summary>Whether something went wrong with a file.</summary>
    private protected bool HasErrors { get; private set; }

    /// <summary>Ends the cmdlet.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Cancel();

    // The names of files are somebody else's word: no stream takes what would move the cursor of a terminal or forge a line of a log.
    private protected new void WriteWarning(string text) => base.WriteWarning(DisplayText.Printable(text));

    private protected new void WriteVerbose(string text) => base.WriteVerbose(DisplayText.Printable(text));

    private protected new bool ShouldProcess(string target, string action) => base.ShouldProcess(DisplayText.Printable(target), DisplayText.Printable(action));

    /// <summary>
    /// Asks for what has a high impact where the cmdlet itself, which has one impact, has a lower one: where ShouldProcess did not ask, but would have for a cmdlet of high impact, with
    /// $ConfirmPreference High, the default, and without -Confirm.
    /// </summary>
    private protected bool ShouldContinueAtHighImpact(string question, string caption, ref bool yesToAll, ref bool noToAll)
    {
        bool isAsked = !MyInvocation.BoundParameters.ContainsKey("Confirm")
            && string.Equals($"{GetVariableValue("ConfirmPreference")}", nameof(ConfirmImpact.High), StringComparison.OrdinalIgnoreCase);
        return !isAsked || ShouldContinue(DisplayText.Printable(question), caption, ref yesToAll, ref noToAll);
    }

    /// <summary>Ends the cmdlet.</summary>
    /// <param name="disposing">False when called by the finaliser.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (Passphrase passphrase in _passphrases.Values.Distinct())
            {
                passphrase.Dispose();
            }

            _stop.Dispose();
        }
    }

    /// <summary>The engine's form of the passphrase that a parameter holds; it is wiped when the cmdlet ends.</summary>
    /// <param name="secret">What the user gave; null for none.</param>
    private protected Passphrase? Unseal(SecureString? secret)
    {
        if (secret is null)
        {
            return null;
        }

        if (!_passphrases.TryGetValue(secret, out Passphrase? passphrase))
        {
            try
            {
                passphrase = Engine.Passphrase.FromSecureString(secret);
            }
            catch (ArgumentException e)
            {
                throw new ImageCmdletException("PassphraseInvalid", ErrorCategory.InvalidArgument, ErrorMessage.Text(e));
            }

            // The same text in two parameters is one passphrase, which knows the keys that were derived from it.
            if (_passphrases.Values.FirstOrDefault(passphrase.IsSameAs) is Passphrase known)
            {
                passphrase.Dispose();
                passphrase = known;
            }

            _passphrases.Add(secret, passphrase);
        }

        return passphrase;
    }

    /// <summary>Does long work on a file, with its progress, on another thread.</summary>
    /// <param name="activity">What goes on, as a participle.</param>
    /// <param name="path">The file.</param>
    /// <param name="work">The work.</param>
    private protected T Track<T>(string activity, string path, Func<IProgress<WorkProgress>, CancellationToken, T> work)
    {
        return TrackedOperation.Run(activity, path, work, WriteProgress, StopToken);
    }

    /// <summary>Does long work on a file that has no result.</summary>
    private protected void Track(string activity, string path, Action<IProgress<WorkProgress>, CancellationToken> work)
        => Track(activity, path, (progress, token) =>
        {
            work(progress, token);
            return true;
        });

    /// <summary>Refuses early what the file system of the destination cannot hold in one file. What is not known is not said.</summary>
    /// <param name="need">What is needed, or how to find it out; null for nothing.</param>
    /// <exception cref="IOException">The file would be too long.</exception>
    private protected void EnsureFits(Func<SpaceNeed?> need)
    {
        SpaceNeed? known = null;
        long? limit = null;
        try
        {
            known = need();
            limit = known is null || System.IO.Path.GetDirectoryName(known.Path) is not string folder ? null : FileSizeLimit.Of(folder);
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            // The work itself says what is wrong, and better.
        }

        known?.EnsureWithin(limit, measure => LongOperation.Run(measure, () => { }, StopToken));
    }

    /// <summary>Says early that a volume is too small for what is about to be written. What is not known is not said.</summary>
    /// <param name="need">What is needed, or how to find it out; null for nothing.</param>
    private protected void WarnOfFullDisk(Func<SpaceNeed?> need)
    {
        try
        {
            if (need() is not SpaceNeed known || System.IO.Path.GetDirectoryName(known.Path) is not string folder
                || FreeSpace.Of(folder) is not long free || free >= known.Most)
            {
                return;
            }

            long bytes = known.Most;
            if (known.Measure is not null)
            {
                LongOperation.Run(token => bytes = known.Measure(token), () => { }, StopToken);
            }

            if (free < bytes)
            {
                WriteWarning($"{known.Path}: this may take {DisplayText.SizeAndBytes(bytes)}, and {DisplayText.SizeAndBytes(free)} are free there. "
                    + "If the disk gets full, there will be an error, and what was there before stays as it is.");
            }
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            // The work itself says what is wrong, and better.
        }
    }

    /// <summary>Refuses a raw file that begins as an image, unless the user insists.</summary>
    /// <param name="path">Full path of the file; null if its name is none.</param>
    /// <param name="format">What it is said to be.</param>
    /// <param name="who">Who says so, as a sentence begins.</param>
    /// <param name="force">Whether the user insists.</param>
    /// <exception cref="ImageCmdletException">The content contradicts the word.</exception>
    private protected void RequireFormat(string? path, string? format, string who, bool force)
    {
        if (path is null || FormatWord.Contradiction(path, format) is not string seen)
        {
            return;
        }

        string found = $"{path}: {who} that this is a {(DiskFormats.Find(format) is DiskFormat said ? said.Description.Substring(said.Description.IndexOf(' ') + 1) : format)}, but it {seen}.";
        if (!force)
        {
            throw new ImageCmdletException("FormatAmbiguous", ErrorCategory.InvalidData, format == "raw"
                ? $"{found} The disk would consist of the bytes of that file, and not of what it holds. If that is meant, because a guest has written them to its raw disk, use -Force."
                : $"{found} Use -Force if that is known.");
        }

        WriteWarning($"{found} It is taken for what was said.");
    }

    /// <summary>The parameter of this cmdlet that an error's advice can name.</summary>
    /// <param name="usual">The name that most cmdlets have for it.</param>
    /// <param name="path">Full path of the file at fault; null if that is not known.</param>
    /// <returns>Null if this cmdlet has none for that file.</returns>
    private protected virtual string? ParameterFor(string usual, string? path) => MyInvocation.MyCommand.Parameters.ContainsKey(usual) ? usual : null;

    /// <summary>Does work for one file. What goes wrong with that file becomes an error record; the others go on.</summary>
    /// <param name="path">The file, which the error record names.</param>
    /// <param name="work">The work.</param>
    internal void ForFile(string path, Action work)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (Stopping)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            HasErrors = true;
            WriteError(ErrorRecords.OfFile(e, path, ErrorAdvice.For(e, MyInvocation.MyCommand.Name, ParameterFor)));
        }
    }
}
