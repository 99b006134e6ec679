using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
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

    /// <summary>Ends the cmdlet.</summary>
    /// <param name="disposing">False when called by the finaliser.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (Passphrase passphrase in _passphrases.Values)
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
