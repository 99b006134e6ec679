namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Gathers what is damaged in an image without keeping a cmdlet from its work, for one warning on the pipeline's thread. The engine
/// tells of it from any thread.
/// </summary>
internal sealed class DamageWarnings
{
    private const int MostShown = 3;
    private const int MostKept = 1_000;

    private readonly List<string> _problems = [];
    private readonly object _gate = new();

    internal void Add(string problem)
    {
        lock (_gate)
        {
            if (_problems.Count < MostKept && !_problems.Contains(problem))
            {
                _problems.Add(problem);
            }
        }
    }

    /// <summary>The warning, after which nothing is left; null if there is nothing to warn of.</summary>
    internal string? Take()
    {
        lock (_gate)
        {
            if (_problems.Count == 0)
            {
                return null;
            }

            string shown = DisplayText.Printable(string.Join(" ", _problems.Take(MostShown)));
            string more = _problems.Count > MostShown ? $" And {_problems.Count - MostShown} more; Test-Qcow2Image lists what is wrong." : "";
            _problems.Clear();
            return shown + more;
        }
    }
}
